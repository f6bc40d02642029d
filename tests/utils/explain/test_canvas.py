from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from utils.explain.canvas import MARGIN, new_page, put_text, save_page


@pytest.mark.parametrize(
    "title", ["short", "W" * 100, "a slide of many words " * 20, "first line\n" + "second " * 30, ""]
)
def test_a_title_stays_within_the_page_and_above_the_room_below_it(title: str):
    page, top = new_page(400, 120, title)
    assert page.size == (400, top + 120)
    dark = np.asarray(page).min(axis=-1) < 128
    assert dark.any() == bool(title)
    rows, columns = np.nonzero(dark)
    assert (rows < top).all()
    assert ((columns >= MARGIN) & (columns < 400 - MARGIN)).all()


def test_a_title_that_fits_is_not_broken():
    assert new_page(400, 10, "a title")[1] == new_page(400, 10, "t")[1]
    assert new_page(400, 10, "a\ntitle")[1] > new_page(400, 10, "a title")[1]


def test_text_begins_ends_or_centres_at_its_position():
    columns = {}
    for anchor in ("la", "ma", "ra"):
        page = Image.new("RGB", (200, 40), "white")
        put_text(page, (100, 10), "anchor 7", anchor)
        columns[anchor] = np.nonzero(np.asarray(page).min(axis=(0, 2)) < 128)[0]
    assert columns["la"].min() >= 100
    assert columns["ra"].max() < 100
    assert (columns["ma"].min() + columns["ma"].max()) / 2 == pytest.approx(100, abs=2)


def test_the_file_is_a_png_and_nothing_else_is_left(tmp_path: Path):
    page, _ = new_page(60, 40, "title")
    save_page(page, tmp_path / "slide" / "a.png")
    assert [path.name for path in (tmp_path / "slide").iterdir()] == ["a.png"]
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "slide" / "a.png")), np.asarray(page))
