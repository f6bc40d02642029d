"""What features and coordinates must be."""

from __future__ import annotations

import math
from pathlib import Path

import torch

from datasets.slides.finite import count_bad_rows
from utils.errors import UserError
from utils.files.phrases import counted

# Level-0 pixels, of 0.1 micrometres 200 m. Up to here int64 holds the square of any distance too.
_LARGEST_COORD = 2**31
_COMPARABLE = (torch.int32, torch.int64, torch.float32, torch.float64)  # torch has no maximum of some others
_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def check_layout(shape: tuple[int, ...], dtype: torch.dtype, path: Path) -> tuple[int, int]:
    """Return (M, D) for features of this shape and type; raises UserError for others, and for no patches."""
    if dtype not in _DTYPES:
        name = str(dtype).removeprefix("torch.")
        raise UserError(f"{path} holds features of type {name}: expected float16, bfloat16, float32 or float64")
    matrix = shape[1:] if len(shape) == 3 and shape[0] == 1 else shape
    if len(matrix) == 1 and matrix[0] > 0:
        raise UserError(
            f"{path} holds features of shape {shape}, one vector, as slide encoders write for a whole slide: give the "
            "folder with features of patches, (patches, width)"
        )
    if len(matrix) != 2:
        raise UserError(f"{path} holds features of shape {shape}: expected (patches, width) or (1, patches, width)")
    if 0 in matrix:
        raise UserError(f"{path} holds no features (shape {shape}): extract its features again or take the slide out")
    return int(matrix[0]), int(matrix[1])


def check_finite(features: torch.Tensor, path: Path) -> None:
    """Raise UserError for features (M, D) with NaN, infinity or beyond float32, with the number of such rows."""
    n_bad = count_bad_rows(features)
    if n_bad:
        what = "numbers beyond 3.4e+38, which float32 does not hold" if features.isfinite().all() else "NaN or infinity"
        raise UserError(
            f"{n_bad} of {len(features)} rows of {path} hold {what}: extract its features again or take the slide out"
        )


def checked_coords(coords: torch.Tensor, n_patches: int, path: Path) -> torch.Tensor:
    """Return coords (M, 2) or (1, M, 2) as (M, 2) int64, rounded.

    Raises UserError for other shapes, for what is no number, and for numbers beyond those of any slide.
    """
    check_coords_shape(tuple(coords.shape), n_patches, path)
    check_coords_values(coords, path)
    if coords.dtype.is_floating_point:
        coords = coords.round()
    return coords.reshape(n_patches, 2).to(torch.int64)


def check_coords_shape(shape: tuple[int, ...], n_patches: int, path: Path) -> None:
    """Raise UserError for coords of another shape than (M, 2) or (1, M, 2), before they are read."""
    matrix = shape[1:] if len(shape) == 3 and shape[0] == 1 else shape
    if matrix != (n_patches, 2):
        whole = " (one vector: an embedding of the whole slide?)" if n_patches == 1 and len(matrix) == 2 else ""
        raise UserError(
            f"{path} holds coords of shape {shape} for {counted(n_patches, 'patch', 'patches')}{whole}: expected "
            f"({n_patches}, 2)"
        )


def check_coords_values(coords: torch.Tensor, path: Path) -> None:
    """Raise UserError for coords that are no finite numbers, or larger than those of any slide."""
    if coords.dtype.is_complex or coords.dtype == torch.bool:
        name = str(coords.dtype).removeprefix("torch.")
        raise UserError(f"{path} holds coords of type {name}: expected numbers (M, 2), in level-0 pixels")
    numbers = coords if coords.dtype in _COMPARABLE else coords.to(torch.float64)
    low, high = (float(end) for end in torch.aminmax(numbers))  # both NaN if there is any
    if not (math.isfinite(low) and math.isfinite(high)):
        raise UserError(f"{path} holds coords that are no finite numbers: expected level-0 pixels")
    if max(-low, high) > _LARGEST_COORD:
        raise UserError(
            f"{path} holds coords as far from 0 as {max(-low, high):g}: expected level-0 pixels, of which no slide has "
            f"more than {_LARGEST_COORD:,}, so extract the slide again"
        )
