"""Overlays on slides whose pixels are known."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from tests.utils.explain.tiled_tiff import halve, write_tiled_tiff
from utils.errors import UserError
from utils.explain.canvas import COLOUR_MAP, scale_bar_length
from utils.explain.overlay import OPACITY, draw_overlay, overlay_picture, paint_patches
from utils.explain.slide_image import SlideImage, open_slide_image

RED, GREEN, BLUE, GREY = (200, 20, 30), (10, 150, 40), (30, 40, 220), (128, 128, 128)
COORDS = np.array([[64, 64], [192, 64], [64, 192], [512, 320]])
PERCENTILE = np.array([0.0, 50.0, 100.0, 25.0])


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """640 x 448 pixels, grey, with a block of 64 pixels of another colour under three of four patches."""
    pixels = np.full((448, 640, 3), GREY, dtype=np.uint8)
    for (x, y), colour in zip(COORDS, (RED, GREEN, BLUE), strict=False):
        pixels[y : y + 64, x : x + 64] = colour
    return write_tiled_tiff(tmp_path_factory.mktemp("slides") / "S.tif", [pixels, halve(pixels)], mpp=0.5)


def blended(below: tuple[int, int, int], percentile: float) -> np.ndarray:
    above = np.array(matplotlib.colormaps[COLOUR_MAP](percentile / 100)[:3]) * 255
    return (1 - OPACITY) * np.array(below) + OPACITY * above


def test_patches_lie_over_what_they_were_cut_from(slide: Path):
    with open_slide_image(slide) as image:
        picture = overlay_picture(image, COORDS, 64, PERCENTILE)
        thumbnail = np.asarray(image.get_thumbnail((1600, 1600)))
    pixels = np.asarray(picture)
    assert picture.size == (640, 448)
    covered = np.zeros((448, 640), dtype=bool)
    for (x, y), below, percentile in zip(COORDS, (RED, GREEN, BLUE, GREY), PERCENTILE, strict=True):
        tile = (slice(y, y + 64), slice(x, x + 64))
        assert np.abs(pixels[tile] - blended(below, percentile)).max() <= 1
        covered[tile] = True
    assert (pixels[~covered] == GREY).all()
    assert (pixels[~covered] == thumbnail[~covered]).all()


def test_the_blocks_stay_under_their_patches_in_a_smaller_picture(slide: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("utils.explain.overlay._MAX_SIDE", 240)  # 3/8 of the width: reads level 1, edges between pixels
    with open_slide_image(slide) as image:
        picture = overlay_picture(image, COORDS, 64, PERCENTILE)
    assert picture.size == (240, 168)
    pixels = np.asarray(picture).astype(float)
    for (x, y), below, percentile in zip(COORDS, (RED, GREEN, BLUE, GREY), PERCENTILE, strict=True):
        left, top, side = int(x * 0.375), int(y * 0.375), 24
        inner = pixels[top + 1 : top + side - 1, left + 1 : left + side - 1]
        assert np.abs(inner - blended(below, percentile)).max() <= 1
        # Beside the patch is grey slide again.
        assert np.abs(pixels[top : top + side, left + side + 1] - GREY).max() <= 1
        assert np.abs(pixels[top - 2, left : left + side] - GREY).max() <= 1


@pytest.mark.parametrize(("size", "patch_size"), [((100, 60), 96), ((37, 23), 50), ((20, 12), 7)])
def test_a_pixel_has_the_highest_value_of_the_patches_over_its_centre(size: tuple[int, int], patch_size: int):
    rng = np.random.default_rng(0)
    dimensions = (1000, 600)
    coords = rng.integers(0, (1000 - patch_size, 600 - patch_size), (40, 2))
    values = rng.random(40)
    found = paint_patches(size, dimensions, coords, patch_size, values)
    expected = np.full((size[1], size[0]), np.nan)
    scale_x, scale_y = size[0] / dimensions[0], size[1] / dimensions[1]
    for row in range(size[1]):
        for column in range(size[0]):
            over = [
                value
                for (x, y), value in zip(coords, values, strict=True)
                if x * scale_x < column + 0.5 <= (x + patch_size) * scale_x
                and y * scale_y < row + 0.5 <= (y + patch_size) * scale_y
            ]
            expected[row, column] = max(over, default=np.nan)
    if patch_size * scale_x >= 1:
        np.testing.assert_array_equal(found, expected)
    else:  # patches between the centres of pixels take one all the same
        assert np.isnan(expected).sum() > np.isnan(found).sum()
        assert set(values[np.argsort(values)[-5:]]) <= set(found[~np.isnan(found)])


def test_a_patch_over_the_border_is_cut(slide: Path):
    with open_slide_image(slide) as image:
        pixels = np.asarray(overlay_picture(image, np.array([[600, 400]]), 64, np.array([100.0])))
    assert np.abs(pixels[400:, 600:] - blended(GREY, 100)).max() <= 1
    assert (pixels[:400] == np.asarray([(*GREY,)])).mean() > 0.9


class HugeSlide:
    """A slide of 200,000 x 120,000 pixels that notes what is read of it."""

    dimensions = (200_000, 120_000)
    level_dimensions = ((200_000, 120_000), (50_000, 30_000), (12_500, 7_500))
    level_downsamples = (1.0, 4.0, 16.0)
    properties: dict[str, str] = {}  # noqa: RUF012

    def __init__(self) -> None:
        self.read: list[tuple[int, tuple[int, int]]] = []

    def read_region(self, location: tuple[int, int], level: int, size: tuple[int, int]) -> Image.Image:
        self.read.append((level, size))
        return Image.new("RGBA", size, (*GREY, 255))


def test_of_a_huge_slide_the_coarsest_sufficient_level_is_read_in_blocks():
    slide = HugeSlide()
    picture = overlay_picture(SlideImage(Path("S.svs"), slide), np.array([[0, 0]]), 100_000, np.array([10.0]))
    assert max(picture.size) <= 1600
    assert picture.size[0] * picture.size[1] <= 1_600_000
    assert picture.size[0] / picture.size[1] == pytest.approx(200 / 120, rel=2e-3)
    assert {level for level, _ in slide.read} == {2}
    assert max(max(size) for _, size in slide.read) <= 2100
    # Half of the width and 5/6 of the height of the picture are under the patch.
    tinted = (np.asarray(picture) != GREY).any(axis=-1)
    assert tinted.mean() == pytest.approx(1 / 2 * 5 / 6, abs=2e-3)


def _dark_runs(pixels: np.ndarray) -> int:
    """The longest run of black pixels in any row."""
    longest = 0
    for row in (pixels == 0).all(axis=-1):
        edges = np.flatnonzero(np.diff([0, *row.astype(int), 0]))
        longest = max(longest, *(edges[1::2] - edges[::2]), 0) if len(edges) else longest
    return longest


def test_the_file_has_the_picture_a_colour_bar_and_a_scale_bar(slide: Path, tmp_path: Path):
    path = tmp_path / "S" / "overlay.png"
    with open_slide_image(slide) as image:
        draw_overlay(path, image, COORDS, 64, PERCENTILE, mpp=0.5, title="slide S\nfold 0")
        picture = np.asarray(overlay_picture(image, COORDS, 64, PERCENTILE))
        draw_overlay(tmp_path / "unknown.png", image, COORDS, 64, PERCENTILE, mpp=None, title="slide S\nfold 0")
    assert [file.name for file in path.parent.iterdir()] == ["overlay.png"]
    page = np.asarray(Image.open(path))
    top = (page.shape[0] - picture.shape[0]) - 5 * 18  # five lines below
    np.testing.assert_array_equal(page[top : top + 448, 16 : 16 + 640], picture)
    bar = page[top + 448 + 18 + 7, 16 : 16 + 256]
    for column, percentile in ((0, 0), (255, 100)):
        assert np.abs(bar[column] - blended((255, 255, 255), percentile)).max() <= 1
    # 640 pixels of 0.5 micrometres are 0.32 mm: a bar of 0.05 mm is 100 of them.
    assert _dark_runs(page[top + 448 :]) == 100
    assert _dark_runs(np.asarray(Image.open(tmp_path / "unknown.png"))[top + 448 :]) == 100  # level-0 pixels


@pytest.mark.parametrize("width", [1e-4, 0.04, 0.32, 1, 3.99, 4, 7.9, 8, 19.9, 20, 25, 123.0])
def test_scale_bars_are_round_and_about_a_fifth(width: float):
    length = scale_bar_length(width)
    assert width / 10 * (1 - 1e-9) <= length <= width / 4 * (1 + 1e-9)
    assert f"{length:e}"[0] in "125"
    assert float(f"{length:e}"[:8]) in (1, 2, 5)


def test_a_page_is_wide_enough_for_title_and_legend(tmp_path: Path):
    pixels = np.full((64, 64, 3), 200, dtype=np.uint8)
    with open_slide_image(write_tiled_tiff(tmp_path / "a.tif", [pixels])) as image:
        draw_overlay(tmp_path / "a.png", image, np.array([[0, 0]]), 32, np.array([100.0]), mpp=None, title="a" * 200)
    page = np.asarray(Image.open(tmp_path / "a.png"))
    assert page.shape[1] >= 500
    assert (page[:, -8:] == 255).all()  # nothing is cut at the right


def test_patches_outside_and_wrong_values_are_refused(slide: Path):
    with open_slide_image(slide) as image:
        with pytest.raises(UserError, match=r"S\.tif: 1 of 1 patches .* 640 x 448 .*at 640, 0"):
            overlay_picture(image, np.array([[640, 0]]), 64, np.array([0.0]))
        with pytest.raises(ValueError, match=r"expected 0\.\.100, got -1 to 100"):
            overlay_picture(image, COORDS, 64, np.array([0, -1, 2, 100]))
        with pytest.raises(ValueError, match="percentile: expected shape"):
            overlay_picture(image, COORDS, 64, PERCENTILE[:2])
        with pytest.raises(ValueError, match="NaN"):
            overlay_picture(image, COORDS, 64, np.full(4, np.nan))
