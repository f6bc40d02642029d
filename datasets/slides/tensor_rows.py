"""Rows of a tensor that is mapped from a file, read from where they lie in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from datasets.slides.damaged_slide import reading
from datasets.slides.file_rows import read_file_rows


def read_tensor_rows(
    path: Path, features: torch.Tensor, begin_of: Callable[[Path, torch.Tensor], int | None], rows: np.ndarray
) -> torch.Tensor:
    """Return these rows (len(rows), D) of features (M, D) or (1, M, D).

    Args:
        path: of the file.
        features: whose storage is mapped from the file.
        begin_of: tells where that storage begins in the file, in bytes; None where that is not certain: the rows are
            then taken from the memory map.
        rows: sorted indices.

    Raises:
        UserError: if they cannot be read.
    """
    matrix = features.reshape(features.shape[-2:])  # (1, M, D) -> (M, D), a view
    with reading(path, "a feature file"):
        begin = begin_of(path, matrix)
        if begin is None or matrix.stride(1) != 1:
            return matrix[torch.from_numpy(rows)]
        taken = torch.empty((len(rows), matrix.shape[1]), dtype=matrix.dtype)
        positions = int(matrix.storage_offset()) + rows * int(matrix.stride(0))
        read_file_rows(path, begin + positions * matrix.element_size(), taken.view(torch.uint8).numpy())
        return taken
