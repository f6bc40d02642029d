"""The .npy and .npz feature files of numpy: an array, or arrays `features` (or `feats`, `arr_0`) and `coords`.

Nothing is ever unpickled. An .npy file and the arrays of an .npz file that is not compressed are memory-mapped.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import torch
from numpy.lib import format as npy

from datasets.slides.attributes import FEATURE_NAMES, numeric_attributes
from datasets.slides.slide_content import SlideContent, coords_tensor, feature_type, native_tensor, unreadable
from datasets.slides.slide_ids import ending_of
from datasets.slides.zip_records import begin_of_record
from utils.errors import UserError
from utils.files.phrases import listed
from utils.files.tensors import LOAD_ERRORS

_NPZ_FEATURES = (*FEATURE_NAMES, "arr_0")
_MAX_ATTRIBUTE_BYTES = 1024  # an array of one number, with its header
# The header of version 3 is UTF-8 for the sake of the names of fields, which a matrix of numbers does not have: numpy
# offers no reader of its own for it, and that of version 2 reads all else.
_HEADERS = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
    (3, 0): npy.read_array_header_2_0,
}
# The header of an array is text that numpy parses.
_ERRORS = (*LOAD_ERRORS, zipfile.BadZipFile, zlib.error, SyntaxError, TokenError)


class _Header(NamedTuple):
    """What an array is: `begin` is where its numbers begin, in bytes from where its header does."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    begin: int

    @property
    def n_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def load_npy(path: Path) -> SlideContent:
    """Return the array of an .npy file, which has no coordinates.

    Raises UserError when the file cannot be read, or holds no array of floating-point numbers.
    """
    array = load_array(path, ())
    feature_type(array.dtype, path)
    return SlideContent(native_tensor(array), None, {})


def load_npz(path: Path) -> SlideContent:
    """Return features, coordinates, and the arrays of one number as attributes.

    Raises UserError when the file cannot be read, or has no features, or other ones than floating-point numbers.
    """
    features = load_array(path, _NPZ_FEATURES)
    feature_type(features.dtype, path)
    names = _names(path)
    coords = coords_tensor(load_array(path, ("coords",)), path) if "coords" in names else None
    small = [name for name, size in names.items() if name != "coords" and size <= _MAX_ATTRIBUTE_BYTES]
    values = {name: load_array(path, (name,)) for name in small if name not in _NPZ_FEATURES}
    numbers = {name: value for name, value in values.items() if value.size == 1}
    return SlideContent(native_tensor(features), coords, numeric_attributes(numbers))


def load_array(path: Path, names: Sequence[str]) -> np.ndarray:
    """Return an array: of an .npy file, or the first of these names that an .npz file has; memory-mapped if possible.

    Raises UserError when the file cannot be read, has none of the names, or holds Python objects.
    """
    with _opened(path) as file:
        if ending_of(path) != ".npz":
            size = path.stat().st_size
            return _mapped(path, _read_header(file, size, path), 0)
        with zipfile.ZipFile(file) as archive:
            record = _record(archive, names, path)
            with archive.open(record) as content:
                header = _read_header(content, record.file_size, path)
                if record.compress_type != zipfile.ZIP_STORED:
                    return _unpacked(content, header)
            return _mapped(path, header, begin_of_record(record, file))


def begin_of_array(path: Path, features: torch.Tensor) -> int | None:
    """Where the numbers of the features that `load_npy` or `load_npz` gave begin in the file; None if not mapped."""
    with _opened(path) as file:
        if ending_of(path) != ".npz":
            header, begin = _read_header(file, path.stat().st_size, path), 0
        else:
            with zipfile.ZipFile(file) as archive:
                record = _record(archive, _NPZ_FEATURES, path)
                if record.compress_type != zipfile.ZIP_STORED:
                    return None
                with archive.open(record) as content:
                    header = _read_header(content, record.file_size, path)
                begin = begin_of_record(record, file)
    return begin + header.begin if header.dtype.isnative else None


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The open file; what goes wrong with it in the block becomes a UserError."""
    try:
        with path.open("rb") as file:
            yield file
    except UserError:
        raise
    except _ERRORS as error:
        raise unreadable(path, "a file of numpy", error) from error


def _names(path: Path) -> dict[str, int]:
    """The arrays of an .npz file and the bytes of each, with its header."""
    with _opened(path) as file, zipfile.ZipFile(file) as archive:
        return {r.filename.removesuffix(".npy"): r.file_size for r in archive.infolist() if r.filename.endswith(".npy")}


def _record(archive: zipfile.ZipFile, names: Sequence[str], path: Path) -> zipfile.ZipInfo:
    records = {record.filename.removesuffix(".npy"): record for record in archive.infolist()}
    found = next((records[name] for name in names if name in records), None)
    if found is None:
        there = ", ".join(list(records)[:5]) or "nothing"
        raise UserError(f"{path} has no array '{names[0]}' (found {there}): save the features under that name")
    return found


def _read_header(file: Any, size: int, path: Path) -> _Header:
    """The header of an array, if what follows it are as many bytes as it says; ValueError or UserError otherwise."""
    if size == 0:
        raise UserError(f"{path} is an empty file (0 bytes): extract the features of this slide again")
    version = npy.read_magic(file)
    if version not in _HEADERS:
        found, known = f"{version[0]}.{version[1]}", listed(major for major, _ in _HEADERS)
        raise UserError(f"{path} is of npy version {found}: expected {known}; save the array again with numpy.save")
    shape, fortran, dtype = _HEADERS[version](file)
    header = _Header(shape, fortran, dtype, file.tell())
    if header.dtype.hasobject:
        raise UserError(f"{path} holds Python objects, which are never loaded: save an array of numbers instead")
    if min(header.shape, default=1) < 0 or header.begin + header.n_bytes != size:
        raise ValueError(f"{size - header.begin} bytes of numbers where the header says {header.n_bytes}")
    return header


def _mapped(path: Path, header: _Header, begin: int) -> np.ndarray:
    """The array as a copy-on-write memory map."""
    order: Any = "F" if header.fortran else "C"
    if header.n_bytes == 0:  # nothing to map
        return np.empty(header.shape, header.dtype)
    return np.memmap(path, header.dtype, mode="c", offset=begin + header.begin, shape=header.shape, order=order)


def _unpacked(content: BinaryIO | Any, header: _Header) -> np.ndarray:
    """The array of a compressed record, read into memory."""
    numbers = np.frombuffer(bytearray(content.read()), dtype=header.dtype)
    return numbers.reshape(header.shape, order="F" if header.fortran else "C")
