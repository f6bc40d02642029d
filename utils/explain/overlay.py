"""Where the model looks, laid over the image of the slide."""

from __future__ import annotations

import math
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw

from utils.explain.canvas import COLOUR_MAP, LINE, MARGIN, new_page, put_text, save_page, scale_bar
from utils.explain.slide_image import SlideImage, check_patches
from utils.figures.palette import GREY

OPACITY = 0.5
_MAX_SIDE = 1600
_MAX_PIXELS = 1_600_000  # with _MAX_SIDE: a PNG of dense tissue stays below 4 MB
_MIN_PAGE = 560
_BAR = (256, 14)


def draw_overlay(
    path: Path,
    image: SlideImage,
    coords: np.ndarray,
    patch_size: int,
    percentile: np.ndarray,
    *,
    mpp: float | None,
    title: str,
) -> None:
    """Write the slide under its half-transparent patches as PNG, with a colour bar and a scale bar.

    Args:
        path: of the file.
        image: the slide.
        coords: (M, 2) upper left corners of the patches, in level-0 pixels.
        patch_size: in level-0 pixels.
        percentile: (M,) of each patch's attention within the slide, 0..100.
        mpp: micrometres per level-0 pixel; None: the scale bar is in level-0 pixels.
        title: may have several lines.

    Raises:
        ValueError: arrays of another shape, no patch, or numbers out of range.
        UserError: a patch outside of the slide, or a slide that is damaged.
    """
    picture = overlay_picture(image, coords, patch_size, percentile)
    page, top = new_page(max(_MIN_PAGE, picture.width + 2 * MARGIN), picture.height + 5 * LINE, title)
    page.paste(picture, (MARGIN, top))
    ImageDraw.Draw(page).rectangle((MARGIN - 1, top - 1, MARGIN + picture.width, top + picture.height), outline=GREY)
    below = top + picture.height + LINE
    _draw_colour_bar(page, (MARGIN, below))
    _draw_scale_bar(page, below, mpp, level0_per_pixel=image.dimensions[0] / picture.width)
    save_page(page, path)


def overlay_picture(image: SlideImage, coords: np.ndarray, patch_size: int, percentile: np.ndarray) -> Image.Image:
    """The slide with its patches in the colours of their percentiles, of at most 1,600 pixels a side.

    Level-0 pixel `x` of a slide `W` wide lies at `x w / W` of a picture `w` wide, and so for `y`. Where patches
    overlap, the highest percentile is on top. Arguments and errors as of `draw_overlay`.
    """
    percentile = np.asarray(percentile, dtype=np.float64)
    check_patches(image, coords, patch_size, percentile=percentile)
    if percentile.min() < 0 or percentile.max() > 100:
        raise ValueError(f"percentile: expected 0..100, got {percentile.min():g} to {percentile.max():g}")
    thumbnail = image.get_thumbnail(_picture_size(image.dimensions))
    raster = paint_patches(thumbnail.size, image.dimensions, coords, patch_size, percentile)
    covered = ~np.isnan(raster)
    pixels = np.asarray(thumbnail).copy()
    pixels[covered] = _blend(pixels[covered], _colours(raster[covered]))
    return Image.fromarray(pixels)


def paint_patches(
    size: tuple[int, int], dimensions: tuple[int, int], coords: np.ndarray, patch_size: int, values: np.ndarray
) -> np.ndarray:
    """The value of the patch at each pixel of a picture, (height, width) float64, NaN where there is none.

    `size` and `dimensions` are the width and height of the picture and of level 0. Edges are rounded to whole pixels,
    so that neighbours touch without a gap; a patch takes one pixel at least, and the highest value is on top.
    """
    scale = np.array(size) / dimensions
    first = np.floor(coords * scale + 0.5).astype(int)
    first = np.minimum(first, np.array(size) - 1)
    last = np.maximum(np.floor((coords + patch_size) * scale + 0.5).astype(int), first + 1)
    raster = np.full((size[1], size[0]), np.nan)
    for patch in np.argsort(values, kind="stable"):
        (left, top), (right, bottom) = first[patch], last[patch]
        raster[top:bottom, left:right] = values[patch]
    return raster


def _picture_size(dimensions: tuple[int, int]) -> tuple[int, int]:
    width, height = dimensions
    scale = min(_MAX_SIDE / max(dimensions), math.sqrt(_MAX_PIXELS / (width * height)))
    return max(1, int(width * scale)), max(1, int(height * scale))


def _colours(percentile: np.ndarray) -> np.ndarray:
    """(..., 3) float64, 0..255."""
    return matplotlib.colormaps[COLOUR_MAP](percentile / 100)[..., :3] * 255


def _blend(below: np.ndarray, above: np.ndarray) -> np.ndarray:
    return np.round((1 - OPACITY) * below + OPACITY * above).astype(np.uint8)


def _draw_colour_bar(page: Image.Image, corner: tuple[int, int]) -> None:
    """The colours as they look over white, 0 to 100, with a label below."""
    left, top = corner
    width, height = _BAR
    row = _blend(np.full((width, 3), 255), _colours(np.linspace(0, 100, width)))
    page.paste(Image.fromarray(np.tile(row, (height, 1, 1))), corner)
    ImageDraw.Draw(page).rectangle((left - 1, top - 1, left + width, top + height), outline=GREY)
    for percentile, anchor in ((0, "la"), (50, "ma"), (100, "ra")):
        put_text(page, (left + width * percentile / 100, top + height + 4), str(percentile), anchor)
    put_text(page, (left, top + height + 4 + LINE), "attention, percentile within the slide")


def _draw_scale_bar(page: Image.Image, top: int, mpp: float | None, level0_per_pixel: float) -> None:
    right = page.width - MARGIN
    length, label = scale_bar(page.width - 2 * MARGIN, level0_per_pixel, mpp)
    left = right - length
    ImageDraw.Draw(page).rectangle((left, top + 4, right - 1, top + 8), fill="black")
    put_text(page, (right, top + _BAR[1] + 4), label, "ra")
