"""Pixels read through openslide against the pixels that were written, and the choice of file and package."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.utils.explain.tiled_tiff import halve, write_tiled_tiff
from utils.errors import UserError
from utils.explain import slide_image
from utils.explain.slide_image import (
    SlideImage,
    bounds_origin,
    check_patches,
    find_slide_image,
    microns_per_pixel,
    open_slide_image,
    require_slide_reader,
)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    """Level 0 of a slide of 384 x 256 pixels, of noise: a shift by one pixel shows."""
    return np.random.default_rng(0).integers(0, 256, (256, 384, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory, pixels: np.ndarray) -> Path:
    return write_tiled_tiff(tmp_path_factory.mktemp("slides") / "S.1.tif", [pixels, halve(pixels)], mpp=0.5)


def greatest_difference(image: Image.Image, expected: np.ndarray) -> int:
    found = np.asarray(image)
    assert found.shape == expected.shape
    return int(np.abs(found.astype(int) - expected).max())


def test_regions_are_the_pixels_of_their_level(slide: Path, pixels: np.ndarray):
    with open_slide_image(slide) as image:
        assert (image.path, image.dimensions, image.level_downsamples) == (slide, (384, 256), (1.0, 2.0))
        assert greatest_difference(image.read_region((100, 20), 0, (50, 70)), pixels[20:90, 100:150]) == 0
        assert greatest_difference(image.read_region((100, 20), 1, (30, 40)), halve(pixels)[10:50, 50:80]) == 0


def test_what_is_outside_of_the_slide_is_white(slide: Path, pixels: np.ndarray):
    expected = np.full((60, 80, 3), 255)
    expected[:16, :44] = pixels[240:, 340:]
    with open_slide_image(slide) as image:
        assert greatest_difference(image.read_region((340, 240), 0, (80, 60)), expected) == 0
        assert greatest_difference(image.read_area((340, 240), (80, 60), (80, 60)), expected) == 0
        before = np.asarray(image.read_area((-10, -20), (30, 40), (30, 40)))
        assert (before[:20] == 255).all()
        assert (before[20:, 10:] == pixels[:20, :20]).all()
        assert (np.asarray(image.read_area((500, 500), (64, 64), (8, 8))) == 255).all()


@pytest.mark.parametrize("factor", [1, 1.5, 2, 3, 4, 8])
def test_a_thumbnail_is_in_its_place(tmp_path: Path, factor: float):
    """A symmetric filter keeps a gradient, so that each pixel holds the value at its centre."""
    x, y = np.arange(384.0), np.arange(256.0)
    ramp = np.stack(np.broadcast_arrays(x / 2, y[:, None] / 2, 100), axis=-1).round().astype(np.uint8)
    with open_slide_image(write_tiled_tiff(tmp_path / "a.tif", [ramp, halve(ramp)])) as image:
        found = np.asarray(image.get_thumbnail((round(384 / factor), 1000))).astype(float)
    height, width, _ = found.shape
    assert (width, height) == (round(384 / factor), round(256 / factor))
    inner = slice(1, -1)  # at the border there is nothing to weigh on one side
    centre_x, centre_y = (np.arange(width) + 0.5) * 384 / width - 0.5, (np.arange(height) + 0.5) * 256 / height - 0.5
    assert np.abs(found[inner, inner, 0] - centre_x[inner] / 2).max() <= 1
    assert np.abs(found[inner, inner, 1] - centre_y[inner, None] / 2).max() <= 1


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_a_thumbnail_averages(slide: Path, pixels: np.ndarray, factor: int):
    with open_slide_image(slide) as image:
        found = np.asarray(image.get_thumbnail((384 // factor, 1000))).astype(float)
    assert found.mean() == pytest.approx(pixels.mean(), abs=1)
    # Of M independent values the mean varies 1 / sqrt(M) as much; weights that overlap make it somewhat less.
    assert found.std() < 1.1 * pixels.std() / factor


def test_reading_in_blocks_changes_nothing(slide: Path, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch):
    with open_slide_image(slide) as image:
        whole = [np.asarray(image.get_thumbnail((size, size))) for size in (96, 101, 384)]
        sizes: list[tuple[int, int]] = []
        read_region = image.read_region
        monkeypatch.setattr(slide_image, "_BLOCK", 32)
        monkeypatch.setattr(image, "read_region", lambda *args: sizes.append(args[2]) or read_region(*args))
        for size, expected in zip((96, 101, 384), whole, strict=True):
            assert greatest_difference(image.get_thumbnail((size, size)), expected) <= 1
    assert len(sizes) > 20
    assert max(max(size) for size in sizes) <= 50  # a block and its margins


def test_an_area_is_at_its_place_between_the_pixels_of_its_level(slide: Path, pixels: np.ndarray):
    with open_slide_image(slide) as image:
        # From 65, 33 in level 0: half a pixel into pixel 32, 16 of level 1, which has two level-0 pixels a side.
        found = np.asarray(image.read_area((65, 33), (128, 64), (64, 32))).astype(float)
    level = halve(pixels).astype(float)
    corners = [level[16 + dy : 48 + dy, 32 + dx : 96 + dx] for dy in (0, 1) for dx in (0, 1)]
    assert np.abs(found - np.mean(corners, axis=0)).max() <= 1


def test_a_patch_is_enlarged_where_the_slide_is_coarser(tmp_path: Path):
    pixels = np.full((64, 64, 3), 200, dtype=np.uint8)
    pixels[:, 32:] = (0, 100, 50)
    with open_slide_image(write_tiled_tiff(tmp_path / "a.tif", [pixels])) as image:
        tile = np.asarray(image.read_area((24, 8), (16, 16), (160, 160)))
    assert (tile[:, :60] == 200).all()
    assert (tile[:, 100:] == (0, 100, 50)).all()


def test_thumbnails_keep_their_aspect_and_are_not_enlarged(slide: Path):
    with open_slide_image(slide) as image:
        assert image.get_thumbnail((100, 100)).size == (100, 67)
        assert image.get_thumbnail((1000, 64)).size == (96, 64)
        assert image.get_thumbnail((5000, 5000)).size == (384, 256)


def test_the_smallest_level_that_is_fine_enough_is_read(slide: Path, monkeypatch: pytest.MonkeyPatch):
    with open_slide_image(slide) as image:
        read_region, levels = image.read_region, []
        monkeypatch.setattr(image, "read_region", lambda *args: levels.append(args[1]) or read_region(*args))
        for side in (384, 193, 192, 10):
            image.get_thumbnail((side, side))
    assert levels == [0, 0, 1, 1]


def test_the_pixel_size(slide: Path, tmp_path: Path, pixels: np.ndarray):
    with open_slide_image(slide) as image:
        assert microns_per_pixel(image) == pytest.approx(0.5)
    with open_slide_image(write_tiled_tiff(tmp_path / "a.tif", [pixels])) as image:
        assert microns_per_pixel(image) is None


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"openslide.mpp-x": "0.2468"}, 0.2468),
        ({"tiffslide.mpp-x": 0.5}, 0.5),
        ({"tiffslide.mpp-x": None}, None),
        ({"openslide.mpp-x": "0"}, None),
        ({"openslide.mpp-x": "unknown"}, None),
        ({"openslide.mpp-x": "inf"}, None),
        ({}, None),
    ],
)
def test_the_pixel_size_as_files_give_it(properties: dict[str, Any], expected: float | None):
    class Slide:
        dimensions = (1, 1)
        level_dimensions = ((1, 1),)
        level_downsamples = (1.0,)

    Slide.properties = properties
    assert microns_per_pixel(SlideImage(Path("a.svs"), Slide())) == expected


@pytest.mark.parametrize("name", ["A.B-1.svs", "A.B-1.SVS", "A.B-1.tif", "A.B-1.mrxs", "A.B-1.ndpi"])
def test_an_image_is_found_by_the_id_of_its_slide(tmp_path: Path, name: str):
    for other in ("A.B-11.svs", "A.svs", "B-1.svs", "A.B-1.png", "A.B-1.svs.txt", "a.b-1.svs"):
        (tmp_path / other).touch()
    (tmp_path / "A.B-1.scn").mkdir()
    assert find_slide_image(tmp_path, "A.B-1") is None
    (tmp_path / name).touch()
    assert find_slide_image(tmp_path, "A.B-1") == tmp_path / name


def test_the_name_of_an_image_is_compared_as_slide_ids_are_read(tmp_path: Path):
    (tmp_path / "Mu\u0308  1.svs").touch()
    assert find_slide_image(tmp_path, "Mü 1") == tmp_path / "Mu\u0308  1.svs"
    (tmp_path / "S1.tiff.svs").touch()
    assert find_slide_image(tmp_path, "S1") == tmp_path / "S1.tiff.svs"


def test_two_images_of_a_slide_and_a_missing_directory_are_named(tmp_path: Path):
    (tmp_path / "A.svs").touch()
    (tmp_path / "A.TIFF").touch()
    with pytest.raises(UserError, match=r"found A\.TIFF and A\.svs"):
        find_slide_image(tmp_path, "A")
    with pytest.raises(UserError, match="nowhere: no such directory"):
        find_slide_image(tmp_path / "nowhere", "A")


def test_a_file_that_is_no_slide_is_named(tmp_path: Path):
    (tmp_path / "A.svs").write_text("no slide")
    with (
        pytest.raises(UserError, match=r"A\.svs: cannot be read as a slide image by openslide"),
        open_slide_image(tmp_path / "A.svs"),
    ):
        pass


def test_a_slide_that_is_damaged_where_it_is_read_is_named(slide: Path, tmp_path: Path):
    content = slide.read_bytes()
    truncated = bytearray(content)
    # The first entry of the byte counts of level 0 points at tiles: let its tiles begin beyond the end of the file.
    offsets = np.arange(24, dtype="<u4") * 64 * 64 * 3 + 8
    at = content.find(offsets.tobytes())
    assert at > 0
    truncated[at : at + 96] = (offsets + len(content)).astype("<u4").tobytes()
    (tmp_path / "A.tif").write_bytes(truncated)
    with pytest.raises(UserError, match=r"A\.tif: cannot be read"), open_slide_image(tmp_path / "A.tif") as image:
        image.read_region((0, 0), 0, (64, 64))


def test_other_errors_pass_through(slide: Path):
    with pytest.raises(ZeroDivisionError), open_slide_image(slide):
        1 / 0  # noqa: B018


class FakeTiffSlide:
    """A slide as tiffslide gives it: RGB, properties that are numbers."""

    dimensions = (4, 2)
    level_dimensions = ((4, 2),)
    level_downsamples = (1.0,)
    properties = {"tiffslide.mpp-x": 0.25}  # noqa: RUF012
    __module__ = "tiffslide.tiffslide"

    def __init__(self, path: Path) -> None:
        if path.name == "bad.svs":
            raise OSError("not a TIFF file")

    def __enter__(self) -> FakeTiffSlide:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def read_region(self, location: tuple[int, int], level: int, size: tuple[int, int]) -> Image.Image:
        return Image.new("RGB", size, (10, 20, 30))


@pytest.fixture
def only_tiffslide(monkeypatch: pytest.MonkeyPatch) -> None:
    tiffslide: Any = ModuleType("tiffslide")
    tiffslide.TiffSlide, tiffslide.TiffFileError = FakeTiffSlide, OSError
    monkeypatch.setitem(sys.modules, "openslide", None)  # an import of it fails
    monkeypatch.setitem(sys.modules, "tiffslide", tiffslide)


@pytest.mark.usefixtures("only_tiffslide")
def test_tiffslide_does_where_openslide_is_missing():
    require_slide_reader()
    with open_slide_image(Path("a.svs")) as image:
        assert microns_per_pixel(image) == 0.25
        assert np.asarray(image.get_thumbnail((2, 2))).tolist() == [[[10, 20, 30]] * 2]
        assert np.asarray(image.read_area((2, 1), (4, 2), (4, 2)))[0].tolist() == [[10, 20, 30]] * 2 + [[255] * 3] * 2
    with (
        pytest.raises(UserError, match=r"bad\.svs: cannot be read as a slide image by tiffslide \(not a TIFF file\)"),
        open_slide_image(Path("bad.svs")),
    ):
        pass


def test_openslide_comes_first(slide: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "tiffslide", None)
    with open_slide_image(slide) as image:
        assert image.properties["openslide.vendor"] == "generic-tiff"


def test_neither_package(monkeypatch: pytest.MonkeyPatch):
    require_slide_reader()
    monkeypatch.setitem(sys.modules, "openslide", None)
    monkeypatch.setitem(sys.modules, "tiffslide", None)
    for call in (require_slide_reader, open_slide_image(Path("a.svs")).__enter__):
        with pytest.raises(UserError, match="--with-extras"):
            call()


def test_patches_within_the_slide(slide: Path):
    coords = np.array([[0, 0], [383, 255], [320, 192]])  # the second one reaches over the border
    with open_slide_image(slide) as image:
        check_patches(image, coords, 64, attention=np.ones(3))
        for corner in ((384, 0), (0, 256), (-1, 0)):
            with pytest.raises(UserError, match=rf"S\.1\.tif: 1 of 4 .* 384 x 256 .*at {corner[0]}, {corner[1]}\)"):
                check_patches(image, np.vstack([coords, corner]), 64)


def test_arrays_of_another_shape_are_refused(slide: Path):
    coords = np.zeros((3, 2), dtype=int)
    with open_slide_image(slide) as image:
        for bad, words in (
            ({"coords": np.zeros((0, 2))}, "M >= 1"),
            ({"coords": np.zeros(2)}, r"got \(2,\)"),
            ({"patch_size": 0}, "positive"),
            ({"attention": np.ones(2)}, r"attention: expected shape \(3,\), got \(2,\)"),
            ({"attention": np.array([1, np.nan, 1])}, "NaN"),
        ):
            with pytest.raises(ValueError, match=words):
                check_patches(image, **({"coords": coords, "patch_size": 64} | bad))


class BoundedSlide:
    """As much of an openslide object as is needed to ask for its bounds."""

    dimensions = (40_000, 90_000)
    level_dimensions = ((40_000, 90_000),)
    level_downsamples = (1.0,)
    properties: dict[str, str]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("1200", "35000", "20000", "30000"), (1200, 35000)),
        (("0", "0", "40000", "90000"), (0, 0)),
        (("1200", "35000", "20000", None), (0, 0)),  # QuPath asks for all four
        (("1200.5", "35000", "20000", "30000"), (0, 0)),
        ((None,) * 4, (0, 0)),
    ],
)
def test_bounds_are_those_that_qupath_crops_to(values: tuple[str | None, ...], expected: tuple[int, int]):
    slide = BoundedSlide()
    names = ("x", "y", "width", "height")
    slide.properties = {
        f"openslide.bounds-{name}": value for name, value in zip(names, values, strict=True) if value is not None
    }
    assert bounds_origin(SlideImage(Path("a.mrxs"), slide)) == expected
