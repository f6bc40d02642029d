"""The .pt feature file: a tensor, or a dict with `features` and optionally `coords`, written by torch.save.

The whole file is memory-mapped; single rows are read from where they lie in it.
"""

from __future__ import annotations

import mmap
import pickle
import struct
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

from datasets.slides.file_rows import read_file_rows
from utils.errors import UserError
from utils.files.tensors import load_tensors, save_tensors

_ZIP_HEAD = b"PK\x03\x04"
# The number with which torch.save began every file before its zip format (PyTorch < 1.6).
_LEGACY_NUMBER = bytes.fromhex("6cfc9c46f9206aa85019")
_LOCAL_HEADER = struct.Struct("<26xHH")  # the lengths of the name and of the extra field, which follow it


def load_pt(path: Path) -> tuple[torch.Tensor, torch.Tensor | None, dict[str, float]]:
    """Return features, coords (None if there are none) and numeric attributes, unchecked in shape and value.

    Opened with `weights_only=True`: nothing in the file is ever executed. Memory-mapped (copy on write) in the zip
    format; a file of the format before PyTorch 1.6 cannot be mapped and is read into memory: the same tensors.

    Raises UserError when the file cannot be read or holds something else.
    """
    content = _load(path)
    if isinstance(content, torch.Tensor):
        return content.detach(), None, {}
    if not isinstance(content, dict):
        raise UserError(f"{path} holds a {type(content).__name__}: expected a tensor or a dict with 'features'")
    features, coords = content.get("features"), content.get("coords")
    if not isinstance(features, torch.Tensor):
        keys = ", ".join(map(str, list(content)[:5])) or "no key"
        raise UserError(
            f"{path} holds a dict without a tensor 'features' (found {keys}): save the features under that name"
        )
    if coords is not None and not isinstance(coords, torch.Tensor):
        raise UserError(f"{path} holds 'coords' as a {type(coords).__name__}: expected a tensor (M, 2)")
    return features.detach(), coords, numeric_attributes(content.get("attributes"))


def save_pt(path: Path, features: torch.Tensor, coords: torch.Tensor | None, attributes: dict[str, float]) -> None:
    """Write a tensor, or with coords or attributes a dict, atomically; equal content gives equal bytes."""
    content: Any = _compact(features)
    if coords is not None or attributes:
        content = {"features": content, "attributes": attributes}
        if coords is not None:
            content["coords"] = _compact(coords)
    save_tensors(path, content)


def read_pt_rows(path: Path, features: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
    """Return these rows (len(rows), D) of the features (M, D) or (1, M, D) that `load_pt` gave for this file.

    They are read from where they lie in the file; where that is not certain, they are taken from the memory map. Raises
    UserError if they cannot be read.
    """
    matrix = features.reshape(features.shape[-2:])  # (1, M, D) -> (M, D), a view
    try:
        begin = storage_begin(path, matrix)
        if begin is None or matrix.stride(1) != 1:
            return matrix[torch.from_numpy(rows)]
        taken = torch.empty((len(rows), matrix.shape[1]), dtype=matrix.dtype)
        positions = int(matrix.storage_offset()) + rows * int(matrix.stride(0))
        read_file_rows(path, begin + positions * matrix.element_size(), taken.view(torch.uint8).numpy())
    except OSError as error:
        raise UserError(f"{path} cannot be read (truncated or damaged?): extract its features again") from error
    return taken


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
            begins = [_begin_of(record, file) for record in records if record.file_size == storage.nbytes()]
    except zipfile.BadZipFile:
        return None
    fitting = [begin for begin in begins if (storage.data_ptr() - begin) % mmap.PAGESIZE == 0]
    return fitting[0] if len(fitting) == 1 and orders <= {sys.byteorder.encode()} else None


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
            raise UserError(f"{path} is an empty file (0 bytes): extract the features of this slide again")
        is_zip = head.startswith(_ZIP_HEAD)
        if not is_zip and _LEGACY_NUMBER not in head:
            raise UserError(f"{path} is not a file that torch.save wrote: expected a tensor of features in it")
        return load_tensors(path, mmap=is_zip)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} holds Python objects other than tensors, which are never loaded: save a tensor (M, D) instead"
        ) from error
    except (RuntimeError, OSError, EOFError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{path} cannot be read (truncated or damaged?): extract its features again") from error


def _begin_of(record: zipfile.ZipInfo, file: BinaryIO) -> int:
    """Where the content of a record begins in the file of its archive; BadZipFile if it is packed or no record."""
    file.seek(record.header_offset)
    header = file.read(_LOCAL_HEADER.size)
    if not header.startswith(_ZIP_HEAD) or len(header) < _LOCAL_HEADER.size or record.compress_type:
        raise zipfile.BadZipFile
    return record.header_offset + len(header) + sum(_LOCAL_HEADER.unpack(header))


def _compact(tensor: torch.Tensor) -> torch.Tensor:
    """A contiguous CPU tensor that owns no more memory than it shows: torch.save writes the whole storage of a view."""
    tensor = tensor.detach().cpu().contiguous()
    is_view = tensor.untyped_storage().nbytes() != tensor.numel() * tensor.element_size()
    return tensor.clone() if is_view else tensor
