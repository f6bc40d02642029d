"""What a feature file holds, before it is checked, and the errors that all formats share."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from utils.errors import UserError, cannot_read
from utils.files.tensors import first_line

# What the system says to a file that is read where no byte can be: the file said so.
_IMPOSSIBLE_PLACES = (errno.EINVAL, errno.EOVERFLOW)
_TORCH_TYPES = {"f2": torch.float16, "f4": torch.float32, "f8": torch.float64}


class SlideContent(NamedTuple):
    """The parts of a feature file, unchecked in shape and value.

    Attributes:
        features: (M, D) or (1, M, D); memory-mapped (copy on write) where the format allows.
        coords: (M, 2), upper left corners in level-0 pixels; None if there are none.
        attributes: the numbers that the file gives for its patches.
    """

    features: torch.Tensor
    coords: torch.Tensor | None
    attributes: dict[str, float]


def feature_type(dtype: np.dtype[Any], path: Path) -> torch.dtype:
    """The type of features of this numpy type; raises UserError for other than float16, float32 and float64."""
    code = dtype.str[1:]
    if code not in _TORCH_TYPES:
        found = "Python objects, which are never loaded" if dtype.hasobject else f"features of type {dtype}"
        raise UserError(f"{path} holds {found}: expected float16, float32 or float64")
    return _TORCH_TYPES[code]


def native_tensor(array: np.ndarray) -> torch.Tensor:
    """A tensor on the memory of `array`, which is copied only when its byte order is not this machine's."""
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=False))


def check_coords_type(dtype: np.dtype[Any], path: Path) -> None:
    """Raise UserError for coordinates that are no numbers."""
    if dtype.kind not in "iuf":
        raise UserError(f"{path} holds coords of type {dtype}: expected numbers (M, 2), in level-0 pixels")


def coords_tensor(array: np.ndarray, path: Path) -> torch.Tensor:
    """Coordinates in a type that torch computes in: int64, or float64; raises UserError if they are no numbers.

    What neither holds becomes a large float64 or infinity, which `slide_checks.check_coords_values` refuses.
    """
    check_coords_type(array.dtype, path)
    is_integer = array.dtype.kind in "iu" and not (array.size and int(array.max()) > np.iinfo(np.int64).max)
    with np.errstate(over="ignore", invalid="ignore"):
        return torch.from_numpy(array.astype(np.int64 if is_integer else np.float64))


def unreadable(path: Path, kind: str, error: BaseException) -> UserError:
    """The error for a file that cannot be read, with the reason that the system or the library gave."""
    if isinstance(error, OSError) and error.errno and error.errno not in _IMPOSSIBLE_PLACES:
        return cannot_read(path, error)  # the system did not give it, whatever is in it
    return UserError(damaged(path, kind, first_line(error)))


def damaged(path: Path, kind: str, reason: str) -> str:
    """The sentence for a file that is not what it should be."""
    return f"{path} cannot be read as {kind} ({reason}): if it is truncated or damaged, extract it again"
