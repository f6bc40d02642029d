"""The .pt feature file: a tensor or array, or a dict of them with `features` and optionally `coords`.

A file of torch.save is memory-mapped; single rows are read from where they lie in it. A file of pickle.dump, and numpy
arrays in either, are read into memory.
"""

from __future__ import annotations

import mmap
import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datasets.slides.attributes import FEATURE_NAMES, numeric_attributes
from datasets.slides.damaged_slide import reading
from datasets.slides.slide_checks import check_coords_shape, check_layout
from datasets.slides.slide_content import SlideContent, coords_tensor, feature_type, native_tensor
from datasets.slides.slideflow_index import read_slideflow_index
from utils.errors import UserError
from utils.files.declared_tensors import ZIP_HEAD
from utils.files.tensors import (
    LOAD_ERRORS,
    REPEATED_BYTES,
    first_line,
    load_tensor_or_array,
    names_found,
    save_tensors,
    unusual_kind,
)
from utils.files.zip_records import begin_of_record

_PICKLE_HEAD = b"\x80"
_UNSIGNED = (torch.uint16, torch.uint32, torch.uint64)


def load_pt(path: Path) -> SlideContent:
    """Return what the file holds; coordinates of slideflow are taken from the index beside it.

    Nothing in the file is ever executed: tensors, plain values and numpy arrays are loaded, nothing else. Memory-mapped
    (copy on write) in the zip format; a file of the format before PyTorch 1.6 cannot be mapped and is read into memory:
    the same tensors.

    Raises UserError when the file cannot be read, holds something else, or does not hold what it declares.
    """
    with reading(path, "a .pt file"):
        content = _load(path)
        if isinstance(content, torch.Tensor | np.ndarray):
            features = _features(content, path)
            return SlideContent(features, read_slideflow_index(path, features), {})
        if not isinstance(content, dict):
            raise UserError(f"{path} holds a {type(content).__name__}: expected a tensor or a dict with 'features'")
        name = next((name for name in FEATURE_NAMES if isinstance(content.get(name), torch.Tensor | np.ndarray)), None)
        if name is None:
            raise UserError(
                f"{path} holds a dict without a tensor 'features' (found {names_found(content)}): save the features "
                "under that name"
            )
        features = _features(content[name], path)
        numbers = numeric_attributes(content) | numeric_attributes(content.get("attributes"))
        return SlideContent(features, _coords(content.get("coords"), features, path), numbers)


def save_pt(path: Path, features: torch.Tensor, coords: torch.Tensor | None, attributes: dict[str, float]) -> None:
    """Write a tensor, or with coords or attributes a dict, atomically; equal content gives equal bytes."""
    content: Any = _compact(features)
    if coords is not None or attributes:
        content = {"features": content, "attributes": attributes}
        if coords is not None:
            content["coords"] = _compact(coords)
    save_tensors(path, content)


def storage_begin(path: Path, tensor: torch.Tensor) -> int | None:
    """Where the storage of a tensor of a .pt file begins in it, in bytes; None where that is not certain.

    It is the one plain record with as many bytes as the storage and, since memory maps begin with a page, as far behind
    the begin of one. Files of the format before PyTorch 1.6, and numbers in another byte order, have none.
    """
    storage = tensor.untyped_storage()
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            records = archive.infolist()
            orders = {archive.read(record) for record in records if record.filename.endswith("/byteorder")}
            begins = [begin_of_record(record, file) for record in records if record.file_size == storage.nbytes()]
    except OSError:
        raise
    except LOAD_ERRORS:
        return None
    fitting = [begin for begin in begins if (storage.data_ptr() - begin) % mmap.PAGESIZE == 0]
    return fitting[0] if len(fitting) == 1 and orders <= {sys.byteorder.encode()} else None


def _load(path: Path) -> Any:
    with path.open("rb") as file:
        head = file.read(len(ZIP_HEAD))
    if not head:
        raise UserError(f"{path} is an empty file (0 bytes): extract the features of this slide again")
    if head != ZIP_HEAD and not head.startswith(_PICKLE_HEAD):
        raise UserError(f"{path} is not a file that torch.save wrote: expected a tensor of features in it")
    try:
        return load_tensor_or_array(path, mmap=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} holds Python objects other than tensors and arrays of numbers, which are never loaded "
            f"({first_line(error)}): save a tensor (M, D) instead"
        ) from error


def _features(value: torch.Tensor | np.ndarray, path: Path) -> torch.Tensor:
    """The features as a plain tensor with numbers in memory or in the file."""
    if isinstance(value, np.ndarray):
        feature_type(value.dtype, path)
        features = native_tensor(value)
    else:
        kind = unusual_kind(value)
        if kind is not None:
            raise UserError(f"{path} holds {kind}: expected a dense tensor (patches, width) of floating-point numbers")
        features = _plain(value, "features", path)
    check_layout(tuple(features.shape), features.dtype, path)
    return features


def _plain(value: torch.Tensor, name: str, path: Path) -> torch.Tensor:
    """The tensor without class and gradient, if its numbers are about as many as are stored."""
    size, stored = value.numel() * value.element_size(), value.untyped_storage().nbytes()
    if size > max(stored, REPEATED_BYTES):
        raise UserError(
            f"{path} holds {name} of shape {tuple(value.shape)} in {stored} bytes, the same numbers over and over: "
            "extract its features again or take the slide out"
        )
    return value.detach().as_subclass(torch.Tensor)


def _coords(value: Any, features: torch.Tensor, path: Path) -> torch.Tensor | None:
    if value is None:
        return None
    if not isinstance(value, np.ndarray):
        kind = unusual_kind(value) if isinstance(value, torch.Tensor) else f"a {type(value).__name__}"
        if kind is not None:
            raise UserError(f"{path} holds 'coords' as {kind}: expected a tensor (M, 2)")
    check_coords_shape(tuple(value.shape), features.shape[-2], path)
    if isinstance(value, np.ndarray):
        return coords_tensor(value, path)
    coords = _plain(value, "coords", path)
    # torch computes in few of its unsigned types.
    return coords_tensor(coords.numpy(), path) if coords.dtype in _UNSIGNED else coords


def _compact(tensor: torch.Tensor) -> torch.Tensor:
    """A contiguous CPU tensor that owns no more memory than it shows: torch.save writes the whole storage of a view."""
    tensor = tensor.detach().cpu().contiguous()
    is_view = tensor.untyped_storage().nbytes() != tensor.numel() * tensor.element_size()
    return tensor.clone() if is_view else tensor
