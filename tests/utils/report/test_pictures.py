from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.utils.report.report_folders import gradient
from utils.errors import UserError
from utils.report.pictures import read_picture


def decoded(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1])))


@pytest.mark.parametrize(
    ("size", "expected"), [((2000, 1000), (1000, 500)), ((300, 1500), (200, 1000)), ((40, 30), (40, 30))]
)
def test_it_is_scaled_down_and_never_up(tmp_path: Path, size: tuple[int, int], expected: tuple[int, int]):
    gradient(size).save(tmp_path / "x.png")
    picture = read_picture(tmp_path / "x.png", alt="a", caption="c")
    assert (picture.width, picture.height) == expected == decoded(picture.uri).size


def test_it_shows_what_the_file_shows(tmp_path: Path):
    image = gradient((1600, 800))
    image.save(tmp_path / "x.png")
    expected = np.asarray(image, dtype=float).reshape(400, 2, 800, 2, 3).mean(axis=(1, 3))  # of 2 x 2 pixels
    small = read_picture(tmp_path / "x.png", alt="a", caption="c", longest_side=800)
    shown = np.asarray(decoded(small.uri).convert("RGB"), dtype=float)
    assert np.abs(shown - expected).mean() < 3


def test_it_is_smaller_than_the_file(tmp_path: Path):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (300, 300, 3), dtype=np.uint8)).save(tmp_path / "noise.png")
    uri = read_picture(tmp_path / "noise.png", alt="a", caption="c").uri
    assert uri.startswith("data:image/webp;base64,")
    assert len(uri) < (tmp_path / "noise.png").stat().st_size


def test_palettes_and_transparency_are_kept(tmp_path: Path):
    image = Image.new("RGBA", (10, 10), (255, 0, 0, 0))
    image.save(tmp_path / "clear.png")
    assert decoded(read_picture(tmp_path / "clear.png", alt="a", caption="c").uri).convert("RGBA").getextrema()[3] == (
        0,
        0,
    )
    gradient((1200, 60)).convert("P").save(tmp_path / "palette.png")
    assert read_picture(tmp_path / "palette.png", alt="a", caption="c").width == 1000


@pytest.mark.filterwarnings("error")
def test_a_small_file_of_many_pixels_is_refused_before_they_are_unpacked(tmp_path: Path):
    Image.new("1", (10_000, 9_000)).save(tmp_path / "x.png")  # Pillow warns of so many
    with pytest.raises(UserError, match="10000 x 9000 pixels, expected at most 16 million"):
        read_picture(tmp_path / "x.png", alt="a", caption="c")


def test_what_cannot_be_shown_is_one_sentence(tmp_path: Path):
    (tmp_path / "text.png").write_text("no picture")
    gradient((300, 300)).save(tmp_path / "whole.png")
    whole = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    for name, expected in (("text", "is no picture"), ("half", "cannot be read"), ("none", "cannot be read")):
        with pytest.raises(UserError, match=f"{name}.png: {expected}") as error:
            read_picture(tmp_path / f"{name}.png", alt="a", caption="c")
        assert str(error.value).endswith("with main.py --stage explain.")
