"""Contact sheets: the patches that a model attends to most, and those nearest to the anchors, as they look."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from utils.explain.canvas import LINE, MARGIN, new_page, put_text, save_page
from utils.explain.slide_image import SlideImage, check_patches
from utils.figures.palette import GREY

TILE = 160
_GAP = 12
_COLUMNS = 6
_MIN_COLUMNS = 3  # room for a title


def draw_attended_patches(
    path: Path,
    image: SlideImage,
    coords: np.ndarray,
    patch_size: int,
    attention: np.ndarray,
    nearest: np.ndarray | None,
    *,
    n: int = 24,
    title: str,
) -> None:
    """Write the `n` patches of highest attention as PNG, in that order, with rank, attention and nearest anchor.

    Args:
        path: of the file.
        image: the slide.
        coords: (M, 2) upper left corners of the patches, in level-0 pixels.
        patch_size: in level-0 pixels.
        attention: (M,) each patch's share of its case's attention; of equal ones the first comes first.
        nearest: (M,) number of the anchor nearest to each patch; None for a model without anchors.
        n: how many; all where the slide has fewer.
        title: may have several lines.

    Raises:
        ValueError: arrays of another shape, no patch, NaN, or `n` below 1.
        UserError: a patch outside of the slide, or a slide that is damaged.
    """
    _require_positive(n=n)
    anchors = {} if nearest is None else {"nearest": nearest}
    check_patches(image, coords, patch_size, attention=attention, **anchors)
    most = np.argsort(-np.asarray(attention), kind="stable")[:n]
    columns = min(_COLUMNS, len(most))
    row_height = TILE + 2 * LINE + _GAP
    page, top = new_page(_page_width(columns), -(-len(most) // columns) * row_height, title)
    for rank, patch in enumerate(most):
        row, column = divmod(rank, columns)
        anchor = "" if nearest is None else f", anchor {nearest[patch]}"
        lines = [f"rank {rank + 1}{anchor}", f"attention {attention[patch]:.3g}"]
        _draw_tile(page, column, top + row * row_height, _read_tile(image, coords[patch], patch_size), lines)
    save_page(page, path)


def draw_anchor_patches(
    path: Path,
    image: SlideImage,
    coords: np.ndarray,
    patch_size: int,
    nearest: np.ndarray,
    distance: np.ndarray,
    *,
    n_anchors: int = 8,
    n_patches: int = 6,
    title: str,
) -> None:
    """Write a row of patches for each of the slide's most frequent anchors as PNG: those nearest to the anchor.

    Rows are in the order of the anchors' shares of the slide's patches (of equal ones the lower number first), patches
    in the order of their distances.

    Args:
        path: of the file.
        image: the slide.
        coords: (M, 2) upper left corners of the patches, in level-0 pixels.
        patch_size: in level-0 pixels.
        nearest: (M,) number of the anchor nearest to each patch.
        distance: (M,) Euclidean distance to it, in feature space.
        n_anchors: how many rows at most.
        n_patches: how many patches in a row at most.
        title: may have several lines.

    Raises:
        ValueError: arrays of another shape, no patch, NaN, or `n_anchors` or `n_patches` below 1.
        UserError: a patch outside of the slide, or a slide that is damaged.
    """
    _require_positive(n_anchors=n_anchors, n_patches=n_patches)
    check_patches(image, coords, patch_size, nearest=nearest, distance=distance)
    rows = nearest_patches(nearest, distance, n_anchors, n_patches)
    row_height = LINE + 4 + TILE + LINE + _GAP
    columns = max(len(patches) for patches in rows.values())
    page, top = new_page(_page_width(columns), len(rows) * row_height, title)
    for row, (anchor, patches) in enumerate(rows.items()):
        row_top = top + row * row_height
        share = np.mean(np.asarray(nearest) == anchor)
        put_text(page, (MARGIN, row_top), f"anchor {anchor}: {100 * share:.1f} % of the patches")
        for column, patch in enumerate(patches):
            tile = _read_tile(image, coords[patch], patch_size)
            _draw_tile(page, column, row_top + LINE + 4, tile, [f"distance {distance[patch]:.3g}"])
    save_page(page, path)


def nearest_patches(nearest: np.ndarray, distance: np.ndarray, n_anchors: int, n_patches: int) -> dict[int, np.ndarray]:
    """{anchor: rows of its patches of smallest distance} for the most frequent anchors, in the order of their shares.

    >>> nearest_patches(np.array([4, 1, 4, 2]), np.array([0.3, 0.1, 0.2, 0.5]), n_anchors=2, n_patches=6)
    {4: array([2, 0]), 1: array([1])}
    """
    nearest, distance = np.asarray(nearest), np.asarray(distance)
    numbers, counts = np.unique(nearest, return_counts=True)
    frequent = numbers[np.argsort(-counts, kind="stable")[:n_anchors]]
    rows = {}
    for anchor in frequent.tolist():
        own = np.flatnonzero(nearest == anchor)
        rows[anchor] = own[np.argsort(distance[own], kind="stable")[:n_patches]]
    return rows


def _require_positive(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name}: expected at least 1, got {count}")


def _page_width(columns: int) -> int:
    return 2 * MARGIN + max(columns, _MIN_COLUMNS) * (TILE + _GAP) - _GAP


def _read_tile(image: SlideImage, corner: np.ndarray, patch_size: int) -> Image.Image:
    x, y = corner.tolist()
    return image.read_area((x, y), (patch_size, patch_size), (TILE, TILE))


def _draw_tile(page: Image.Image, column: int, top: int, tile: Image.Image, lines: list[str]) -> None:
    """A patch at its place in a row, with a thin frame (a patch may be white) and lines of text below."""
    left = MARGIN + column * (TILE + _GAP)
    page.paste(tile, (left, top))
    ImageDraw.Draw(page).rectangle((left - 1, top - 1, left + TILE, top + TILE), outline=GREY)
    for index, line in enumerate(lines):
        put_text(page, (left, top + TILE + 3 + index * LINE), line)
