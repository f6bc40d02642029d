"""Contact sheets of a slide whose patches each have a colour of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.utils.explain.tiled_tiff import halve, write_tiled_tiff
from utils.errors import UserError
from utils.explain import contact_sheet
from utils.explain.canvas import MARGIN
from utils.explain.contact_sheet import TILE, draw_anchor_patches, draw_attended_patches, nearest_patches
from utils.explain.slide_image import SlideImage, open_slide_image

PATCH = 64
COORDS = np.array([(x, y) for y in range(0, 256, PATCH) for x in range(0, 512, PATCH)])  # 32 patches
COLOURS = np.random.default_rng(3).permutation(32)[:, None] * [7, 0, -7] + [20, 60, 240]
STEP = TILE + 12


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pixels = np.zeros((256, 512, 3), dtype=np.uint8)
    for (x, y), colour in zip(COORDS, COLOURS, strict=True):
        pixels[y : y + PATCH, x : x + PATCH] = colour
    return write_tiled_tiff(tmp_path_factory.mktemp("slides") / "S.tif", [pixels, halve(pixels), halve(pixels, 4)])


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The text of a sheet, in the order in which it is written."""
    written: list[str] = []
    put_text = contact_sheet.put_text

    def note(page: Image.Image, position: tuple[float, float], text: str) -> None:
        written.append(text)
        put_text(page, position, text)

    monkeypatch.setattr(contact_sheet, "put_text", note)
    return written


def patches_shown(path: Path, first_row: int, row_height: int) -> list[list[int]]:
    """The patches of each row of a sheet, by the colours of the tiles; -1 where no patch has the colour.

    `first_row`: of the uppermost tiles, from the top of the page.
    """
    page = np.asarray(Image.open(path)).astype(int)
    rows = []
    for top in range(first_row, page.shape[0] - TILE, row_height):
        row = []
        for left in range(MARGIN, page.shape[1] - TILE, STEP):
            tile = page[top + 3 : top + TILE - 3, left + 3 : left + TILE - 3]
            if (tile != 255).any():
                same = np.abs(COLOURS[:, None, None] - tile).max(axis=(1, 2, 3)) <= 1
                row.append(int(same.argmax()) if same.any() else -1)
        rows.append(row)
    return rows


TITLE_HEIGHT = MARGIN + 22 + 6


def test_the_most_attended_patches_come_in_order(slide: Path, tmp_path: Path, lines: list[str]):
    attention = np.random.default_rng(0).dirichlet(np.ones(32))
    nearest = np.arange(32) % 5
    with open_slide_image(slide) as image:
        draw_attended_patches(tmp_path / "a.png", image, COORDS, PATCH, attention, nearest, n=8, title="S")
    order = sorted(range(32), key=lambda patch: -attention[patch])[:8]
    assert patches_shown(tmp_path / "a.png", TITLE_HEIGHT, TILE + 48) == [order[:6], order[6:]]
    assert lines == [
        line
        for rank, patch in enumerate(order, start=1)
        for line in (f"rank {rank}, anchor {patch % 5}", f"attention {attention[patch]:.3g}")
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_of_few_patches_all_are_shown_and_of_equal_ones_the_first_first(slide: Path, tmp_path: Path, lines: list[str]):
    attention = np.array([0.25, 0.5, 0.25])
    with open_slide_image(slide) as image:
        draw_attended_patches(tmp_path / "a.png", image, COORDS[:3], PATCH, attention, None, title="S")
    assert patches_shown(tmp_path / "a.png", TITLE_HEIGHT, TILE + 48) == [[1, 0, 2]]
    assert lines[:4] == ["rank 1", "attention 0.5", "rank 2", "attention 0.25"]


def test_rows_are_the_most_frequent_anchors_with_their_nearest_patches(slide: Path, tmp_path: Path, lines: list[str]):
    # Anchor 9 has 16 patches, 2 and 5 have 6 each, 0 has 4.
    nearest = np.array([9] * 16 + [5] * 6 + [2] * 6 + [0] * 4)
    distance = np.random.default_rng(1).random(32) * 3
    with open_slide_image(slide) as image:
        draw_anchor_patches(
            tmp_path / "a.png", image, COORDS, PATCH, nearest, distance, n_anchors=3, n_patches=4, title="S"
        )
    expected = {
        anchor: sorted(np.flatnonzero(nearest == anchor), key=lambda patch: distance[patch])[:4] for anchor in (9, 2, 5)
    }
    row_height = 18 + 4 + TILE + 18 + 12
    assert patches_shown(tmp_path / "a.png", TITLE_HEIGHT + 22, row_height) == list(expected.values())
    shares = {9: "50.0", 2: "18.8", 5: "18.8"}
    assert lines == [
        line
        for anchor, patches in expected.items()
        for line in (
            f"anchor {anchor}: {shares[anchor]} % of the patches",
            *(f"distance {distance[patch]:.3g}" for patch in patches),
        )
    ]


def test_one_patch_makes_a_sheet(slide: Path, tmp_path: Path):
    with open_slide_image(slide) as image:
        draw_anchor_patches(tmp_path / "a.png", image, COORDS[:1], PATCH, np.array([3]), np.array([0.0]), title="S")
        draw_attended_patches(tmp_path / "b.png", image, COORDS[:1], PATCH, np.array([1.0]), np.array([3]), title="S")
    assert patches_shown(tmp_path / "a.png", TITLE_HEIGHT + 22, 300) == [[0]]
    assert patches_shown(tmp_path / "b.png", TITLE_HEIGHT, 300) == [[0]]


def test_more_anchors_than_the_slide_has():
    rows = nearest_patches(np.array([1, 1, 0]), np.array([0.2, 0.2, 0.3]), n_anchors=8, n_patches=1)
    assert {anchor: patches.tolist() for anchor, patches in rows.items()} == {1: [0], 0: [2]}


def test_a_patch_over_the_border_is_white_beyond_it(slide: Path, tmp_path: Path):
    with open_slide_image(slide) as image:
        draw_attended_patches(
            tmp_path / "a.png", image, np.array([[480, 224]]), PATCH, np.array([1.0]), None, title="S"
        )
    page = np.asarray(Image.open(tmp_path / "a.png")).astype(int)
    tile = page[TITLE_HEIGHT : TITLE_HEIGHT + TILE, MARGIN : MARGIN + TILE]
    assert np.abs(tile[:77, :77] - COLOURS[31]).max() <= 1
    assert (tile[84:] == 255).all()
    assert (tile[:, 84:] == 255).all()


class PyramidOfLevels:
    """A slide of 100,000 x 80,000 pixels that notes the levels and sizes read."""

    dimensions = (100_000, 80_000)
    level_dimensions = ((100_000, 80_000), (25_000, 20_000), (6_250, 5_000))
    level_downsamples = (1.0, 4.0, 16.0)
    properties: dict[str, str] = {}  # noqa: RUF012

    def __init__(self) -> None:
        self.read: list[tuple[int, tuple[int, int]]] = []

    def read_region(self, location: tuple[int, int], level: int, size: tuple[int, int]) -> Image.Image:
        self.read.append((level, size))
        return Image.new("RGBA", size)


@pytest.mark.parametrize(("patch_size", "level"), [(256, 0), (512, 0), (640, 1), (2048, 1), (2560, 2)])
def test_tiles_are_read_at_a_level_near_their_size(tmp_path: Path, patch_size: int, level: int):
    slide = PyramidOfLevels()
    coords = np.array([[40_000, 30_000], [60_000, 30_000]])
    draw_attended_patches(
        tmp_path / "a.png", SlideImage(Path("S"), slide), coords, patch_size, np.ones(2), None, title="S"
    )
    assert [found for found, _ in slide.read] == [level, level]
    assert max(slide.read[0][1]) <= 4 * TILE + 20


def test_patches_outside_and_wrong_values_are_refused(slide: Path, tmp_path: Path):
    path, three = tmp_path / "a.png", COORDS[:3]
    with open_slide_image(slide) as image:
        with pytest.raises(UserError, match=r"S\.tif: 1 of 2 patches .* 512 x 256 .*at 512, 0"):
            draw_attended_patches(path, image, np.array([[0, 0], [512, 0]]), PATCH, np.ones(2), None, title="S")
        with pytest.raises(UserError, match="at -64, 0"):
            draw_anchor_patches(path, image, np.array([[-64, 0]]), PATCH, np.ones(1), np.ones(1), title="S")
        with pytest.raises(ValueError, match=r"nearest: expected shape \(3,\), got \(2,\)"):
            draw_attended_patches(path, image, three, PATCH, np.ones(3), np.ones(2), title="S")
        with pytest.raises(ValueError, match="distance: expected finite"):
            draw_anchor_patches(path, image, three, PATCH, np.ones(3), np.full(3, np.nan), title="S")
        with pytest.raises(ValueError, match="n: expected at least 1, got 0"):
            draw_attended_patches(path, image, three, PATCH, np.ones(3), None, n=0, title="S")
        with pytest.raises(ValueError, match="n_patches: expected at least 1"):
            draw_anchor_patches(path, image, three, PATCH, np.ones(3), np.ones(3), n_patches=0, title="S")
    assert not path.exists()
