"""What features and coordinates must be."""

from __future__ import annotations

from pathlib import Path

import torch

from datasets.slides.finite import count_bad_rows
from utils.errors import UserError
from utils.files.phrases import counted

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
    """Raise UserError for features (M, D) with NaN or infinity, with the number of such rows."""
    n_bad = count_bad_rows(features)
    if n_bad:
        raise UserError(
            f"{n_bad} of {len(features)} rows of {path} hold NaN or infinity: extract its features again or take the "
            "slide out"
        )


def checked_coords(coords: torch.Tensor, n_patches: int, path: Path) -> torch.Tensor:
    """Return coords (M, 2) or (1, M, 2) as (M, 2) int64, rounded; raises UserError for other shapes and no numbers."""
    shape = tuple(coords.shape)
    matrix = shape[1:] if len(shape) == 3 and shape[0] == 1 else shape
    if matrix != (n_patches, 2):
        whole = " (one vector: an embedding of the whole slide?)" if n_patches == 1 and len(matrix) == 2 else ""
        raise UserError(
            f"{path} holds coords of shape {shape} for {counted(n_patches, 'patch', 'patches')}{whole}: expected "
            f"({n_patches}, 2)"
        )
    if coords.dtype.is_complex or coords.dtype == torch.bool or not bool(coords.isfinite().all()):
        raise UserError(f"{path} holds coords that are no finite numbers: expected level-0 pixels")
    if coords.dtype.is_floating_point:
        coords = coords.round()
    return coords.reshape(n_patches, 2).to(torch.int64)
