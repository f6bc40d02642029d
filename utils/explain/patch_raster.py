"""Which patch each pixel of a map shows, from coordinates alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MAX_SIDE = 1600
LARGEST_PATCH = 24


@dataclass(frozen=True)
class PatchRaster:
    """A map of a slide before it has colours.

    Attributes:
        patch: (H, W) int64, the patch that a pixel shows, -1 where there is none.
        pixel_size: level-0 pixels to a pixel.
        origin: (x, y) of the upper left corner, level-0 pixels.
    """

    patch: np.ndarray
    pixel_size: float
    origin: tuple[int, int]


def patch_raster(
    coords: np.ndarray,
    patch_size: int,
    importance: np.ndarray,
    *,
    max_side: int = MAX_SIDE,
    largest: int = LARGEST_PATCH,
) -> PatchRaster:
    """Draw every patch as the square [x, x + size) by [y, y + size), to scale.

    A pixel is a level-0 square of side `pixel_size`: a whole fraction of a patch, so that patches have sharp edges, as
    long as the slide's longer side takes at most `max_side` pixels; beyond that the longer side over `max_side`.
    A patch covers the pixels from `floor(x / pixel_size)` up to, and without, `floor((x + size) / pixel_size)`, at
    least one. Of patches in one pixel the one of the highest importance is shown (of a tie the later one). Memory grows
    with the picture and the patches, not with the slide.

    Args:
        coords: (M, 2) upper left corners in level-0 pixels.
        patch_size: side of a patch in level-0 pixels.
        importance: (M,).
        max_side: pixels of the longer side at most.
        largest: pixels of a patch's side at most.
    """
    origin = coords.min(axis=0)
    extent = int((coords.max(axis=0) - origin).max()) + patch_size
    pixels = min(largest, max_side * patch_size // extent)
    pixel_size = patch_size / pixels if pixels else extent / max_side
    rounding = 1e-9  # 3 * 448 / (448 / 24) may come out just below 72
    starts = np.floor((coords - origin) / pixel_size + rounding).astype(np.int64)  # (M, 2)
    stops = np.floor((coords - origin + patch_size) / pixel_size + rounding).astype(np.int64)
    sizes = np.maximum(stops - starts, 1)
    width, height = (starts + sizes).max(axis=0).tolist()

    rank = np.empty(len(coords), dtype=np.int64)
    order = np.argsort(importance, kind="stable")
    rank[order] = np.arange(len(coords))
    shown = np.full(height * width, -1, dtype=np.int64)  # the rank of the patch shown
    for down in range(int(sizes[:, 1].max())):
        for right in range(int(sizes[:, 0].max())):
            covers = (sizes[:, 0] > right) & (sizes[:, 1] > down)
            at = (starts[covers, 1] + down) * width + starts[covers, 0] + right
            np.maximum.at(shown, at, rank[covers])
    patch = np.append(order, -1)[shown]  # a rank of -1 takes the last entry
    return PatchRaster(patch.reshape(height, width), pixel_size, (int(origin[0]), int(origin[1])))
