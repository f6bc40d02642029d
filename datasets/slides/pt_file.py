"""The .pt feature file: a tensor, or a dict with `features` and optionally `coords`, written by torch.save."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datasets.atomic import atomic_path
from datasets.errors import DataError

_ZIP_HEAD = b"PK\x03\x04"
# The number with which torch.save began every file before its zip format (PyTorch < 1.6).
_LEGACY_NUMBER = bytes.fromhex("6cfc9c46f9206aa85019")


def load_pt(path: Path) -> tuple[torch.Tensor, torch.Tensor | None, dict[str, float]]:
    """Return features, coords (None if there are none) and numeric attributes, unchecked in shape and value.

    Opened with `weights_only=True`: nothing in the file is ever executed. Memory-mapped (copy on write) in the zip
    format; a file of the format before PyTorch 1.6 cannot be mapped and is read into memory: the same tensors.

    Raises DataError when the file cannot be read or holds something else.
    """
    content = _load(path)
    if isinstance(content, torch.Tensor):
        return content.detach(), None, {}
    if not isinstance(content, dict):
        raise DataError(f"{path} holds a {type(content).__name__}: expected a tensor or a dict with 'features'")
    features, coords = content.get("features"), content.get("coords")
    if not isinstance(features, torch.Tensor):
        keys = ", ".join(map(str, list(content)[:5])) or "no key"
        raise DataError(
            f"{path} holds a dict without a tensor 'features' (found {keys}): save the features under that name"
        )
    if coords is not None and not isinstance(coords, torch.Tensor):
        raise DataError(f"{path} holds 'coords' as a {type(coords).__name__}: expected a tensor (M, 2)")
    return features.detach(), coords, numeric_attributes(content.get("attributes"))


def save_pt(path: Path, features: torch.Tensor, coords: torch.Tensor | None, attributes: dict[str, float]) -> None:
    """Write a tensor, or with coords or attributes a dict, atomically."""
    content: Any = _compact(features)
    if coords is not None or attributes:
        content = {"features": content, "attributes": attributes}
        if coords is not None:
            content["coords"] = _compact(coords)
    # Through a file object torch.save writes no file name into the archive, so equal content gives equal bytes.
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        torch.save(content, file)


def numeric_attributes(attributes: Any) -> dict[str, float]:
    """Return the numbers among `attributes` (a mapping or None) as floats; texts and other arrays are left out.

    An array that holds one number only, such as CLAM's `downsample` (the same for x and y), is that number.
    """
    numbers: dict[str, float] = {}
    for name, value in attributes.items() if isinstance(attributes, Mapping) else ():
        is_one = isinstance(value, np.ndarray | np.generic) and value.size > 0 and (value == value.flat[0]).all()
        item = value.flat[0].item() if is_one else value
        if isinstance(item, int | float) and not isinstance(item, bool):
            numbers[str(name)] = float(item)
    return numbers


def _load(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            head = file.read(32)
        if not head:
            raise DataError(f"{path} is an empty file (0 bytes): extract the features of this slide again")
        is_zip = head.startswith(_ZIP_HEAD)
        if not is_zip and _LEGACY_NUMBER not in head:
            raise DataError(f"{path} is not a file that torch.save wrote: expected a tensor of features in it")
        return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except pickle.UnpicklingError as error:
        raise DataError(
            f"{path} holds Python objects other than tensors, which are never loaded: save a tensor (M, D) instead"
        ) from error
    except (RuntimeError, OSError, EOFError, LookupError, TypeError, AttributeError) as error:
        raise DataError(f"{path} cannot be read (truncated or damaged?): extract its features again") from error


def _compact(tensor: torch.Tensor) -> torch.Tensor:
    """A contiguous CPU tensor that owns no more memory than it shows: torch.save writes the whole storage of a view."""
    tensor = tensor.detach().cpu().contiguous()
    is_view = tensor.untyped_storage().nbytes() != tensor.numel() * tensor.element_size()
    return tensor.clone() if is_view else tensor
