"""Images of whole slides: found by slide id, opened by openslide or tiffslide, read as RGB in bounded memory."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from datasets.slides.slide_ids import plain_slide_id
from utils.errors import UserError

ENDINGS = (".svs", ".tif", ".tiff", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".svslide")
# Each package with its class of slides and the error it raises for a file that it cannot read.
_READERS = (("openslide", "OpenSlide", "OpenSlideError"), ("tiffslide", "TiffSlide", "TiffFileError"))
_BLOCK = 2048  # pixels of a level read at once, per side: 16 MB


class SlideImage:
    """An open slide, read as RGB; what lies outside of it, or holds no pixels, is white.

    Attributes:
        path: of the file.
        dimensions: width and height, in level-0 pixels.
        level_dimensions: width and height of each level, in its own pixels.
        level_downsamples: level-0 pixels per pixel of each level.
        properties: what the file says about itself.
    """

    def __init__(self, path: Path, slide: Any) -> None:
        self.path = path
        self.dimensions: tuple[int, int] = slide.dimensions
        self.level_dimensions: tuple[tuple[int, int], ...] = tuple(slide.level_dimensions)
        self.level_downsamples: tuple[float, ...] = tuple(slide.level_downsamples)
        self.properties: Mapping[str, Any] = slide.properties
        self._slide = slide

    def read_region(self, location: tuple[int, int], level: int, size: tuple[int, int]) -> Image.Image:
        """`size` pixels (width, height) of a level; `location` is their upper left corner, in level-0 pixels."""
        region = self._slide.read_region(location, level, size).convert("RGBA")
        page = Image.new("RGB", size, "white")
        page.paste(region, mask=region)
        return page

    def read_area(self, corner: tuple[float, float], extent: tuple[float, float], size: tuple[int, int]) -> Image.Image:
        """The rectangle `corner` + `extent` (width, height), in level-0 pixels, as an image of `size` pixels.

        Each pixel is a weighted mean around its place, in the smallest level that is not coarser than the image (the
        filter is Pillow's HAMMING). Read in blocks: memory does not grow with the slide.
        """
        pixel = (extent[0] / size[0], extent[1] / size[1])  # level-0 pixels per pixel of the image
        level = self._level_for(min(pixel))
        step = [max(1, int(_BLOCK * self.level_downsamples[level] / length)) for length in pixel]
        image = Image.new("RGB", size)
        for top in range(0, size[1], step[1]):
            for left in range(0, size[0], step[0]):
                block = (min(step[0], size[0] - left), min(step[1], size[1] - top))
                start = (corner[0] + left * pixel[0], corner[1] + top * pixel[1])
                stop = (start[0] + block[0] * pixel[0], start[1] + block[1] * pixel[1])
                image.paste(self._read_block(level, start, stop, block), (left, top))
        return image

    def get_thumbnail(self, size: tuple[int, int]) -> Image.Image:
        """The whole slide, as large as fits into `size` (width, height), never larger than level 0."""
        width, height = self.dimensions
        scale = min(size[0] / width, size[1] / height, 1.0)
        return self.read_area((0, 0), self.dimensions, (max(1, round(width * scale)), max(1, round(height * scale))))

    def _level_for(self, downsample: float) -> int:
        fitting = [level for level, own in enumerate(self.level_downsamples) if own <= downsample * 1.001]
        return max(fitting, key=lambda level: self.level_downsamples[level], default=0)

    def _read_block(
        self, level: int, start: tuple[float, float], stop: tuple[float, float], size: tuple[int, int]
    ) -> Image.Image:
        """The rectangle from `start` to `stop`, in level-0 pixels, of one level, resized."""
        factor = self.level_downsamples[level]
        box = np.array([start, stop]) / factor  # in pixels of the level
        first = np.floor(box[0] + 1e-6).astype(int)
        last = np.maximum(np.ceil(box[1] - 1e-6).astype(int), first + 1)
        # A margin, so that pixels at the border of a block are weighted as within it; not where the slide ends.
        margin = np.ceil((last - first) / size).astype(int) + 1
        first = np.minimum(first, np.maximum(first - margin, 0))
        last = np.maximum(last, np.minimum(last + margin, self.level_dimensions[level]))
        inside_first, inside_last = np.maximum(first, 0), np.minimum(last, self.level_dimensions[level])
        region = Image.new("RGB", tuple((last - first).tolist()), "white")
        if (inside_last > inside_first).all():
            # Rounded up: tiffslide rounds the corner down to whole pixels of the level.
            location = (math.ceil(inside_first[0] * factor), math.ceil(inside_first[1] * factor))
            part = self.read_region(location, level, tuple((inside_last - inside_first).tolist()))
            region.paste(part, tuple((inside_first - first).tolist()))
        within = np.clip(box - first, 0, last - first)
        # Not BOX, Pillow's area filter, which takes whole pixels only: at uneven scales it shifts them.
        return region.resize(size, Image.Resampling.HAMMING, box=tuple(within.ravel().tolist()))


def require_slide_reader() -> None:
    """Refuse to go on without a package that opens slides.

    Raises:
        UserError: neither openslide nor tiffslide can be imported.
    """
    _reader()


def find_slide_image(slides_dir: Path, slide_id: str) -> Path | None:
    """The image of a slide, `{slide_id}{ending}` in `slides_dir`, an ending of `ENDINGS` in any case; None without one.

    Raises:
        UserError: `slides_dir` is no directory, or holds two images of the slide.
    """
    if not slides_dir.is_dir():
        raise UserError(f"{slides_dir}: no such directory of slide images; give the one that holds {slide_id}.svs.")
    found = sorted(
        path
        for path in slides_dir.iterdir()
        if path.suffix.lower() in ENDINGS and plain_slide_id(path.stem) == slide_id and path.is_file()
    )
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise UserError(f"{slides_dir}: expected one image of slide {slide_id}, found {names}; keep one of them.")
    return found[0] if found else None


@contextmanager
def open_slide_image(path: Path) -> Iterator[SlideImage]:
    """Open a slide image by openslide, or by tiffslide where openslide is not installed; closed when the block ends.

    Raises:
        UserError: no package opens slides, the file is no slide that it can open, or is damaged where it is read.
    """
    open_slide, slide_error = _reader()
    try:
        with open_slide(path) as slide:
            yield SlideImage(path, slide)
    except slide_error as error:
        raise UserError(
            f"{path}: cannot be read as a slide image by {open_slide.__module__.split('.')[0]} ({error}); copy it "
            "again, or take it out of the directory of slide images."
        ) from error


def microns_per_pixel(image: SlideImage) -> float | None:
    """Micrometres per level-0 pixel, along x, as the file says; None where it says nothing, or no positive number."""
    for package, _, _ in _READERS:
        with suppress(TypeError, ValueError):
            value = float(image.properties.get(f"{package}.mpp-x"))  # type: ignore[arg-type]
            if 0 < value < math.inf:
                return value
    return None


def bounds_origin(image: SlideImage) -> tuple[int, int]:
    """Where the region that QuPath shows begins, in level-0 pixels: (0, 0) unless OpenSlide gives the slide bounds.

    MIRAX and Leica slides have them: the scanned part of a much larger level 0. QuPath crops to them where all four are
    whole numbers, unless the slide was opened with `--no-crop`.
    """
    values = [image.properties.get(f"openslide.bounds-{name}") for name in ("x", "y", "width", "height")]
    try:
        x, y, _, _ = (int(value) for value in values)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return 0, 0
    return x, y


def check_patches(image: SlideImage, coords: np.ndarray, patch_size: int, **values: np.ndarray) -> None:
    """Check that patches lie in the slide and that each of `values` has one number for each.

    A patch may reach over the right or lower border (CLAM pads such patches), but must start within the slide.

    Args:
        image: the slide.
        coords: (M, 2) upper left corners, in level-0 pixels.
        patch_size: in level-0 pixels.
        values: (M,) by name.

    Raises:
        ValueError: another shape, no patch, no positive size, or a value that is not finite.
        UserError: a patch outside the slide.
    """
    coords = np.asarray(coords)
    if coords.ndim != 2 or coords.shape[1] != 2 or len(coords) == 0:
        raise ValueError(f"coords: expected shape (M, 2) with M >= 1, got {coords.shape}")
    if patch_size < 1:
        raise ValueError(f"patch_size: expected a positive number of level-0 pixels, got {patch_size}")
    for name, value in values.items():
        if np.shape(value) != (len(coords),):
            raise ValueError(f"{name}: expected shape ({len(coords)},), got {np.shape(value)}")
        if not np.isfinite(value).all():
            raise ValueError(f"{name}: expected finite numbers, got NaN or infinity")
    outside = ((coords < 0) | (coords >= image.dimensions)).any(axis=1)
    if outside.any():
        x, y = coords[outside.argmax()].tolist()
        raise UserError(
            f"{image.path}: {outside.sum()} of {len(coords)} patches lie outside of the image, which is "
            f"{image.dimensions[0]} x {image.dimensions[1]} pixels (the first one at {x}, {y}); give the image that "
            "the features were made from, with coordinates in level-0 pixels."
        )


def _reader() -> tuple[Any, type[Exception]]:
    """The class that opens slides, and its error: of the first package that can be imported."""
    for package, opener, error in _READERS:
        with suppress(ImportError, OSError):  # OSError: the package is there, its C library is not
            module = importlib.import_module(package)
            return getattr(module, opener), getattr(module, error)
    raise UserError(
        "slide images need the package openslide or tiffslide, and neither can be imported: run bash script/setup.sh "
        "--with-extras, or leave the slide images out."
    )
