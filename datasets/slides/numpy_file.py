"""The .npy and .npz feature files of numpy: an array, or arrays `features` (or `feats`, `arr_0`) and `coords`.

Nothing is ever unpickled. An .npy file and the arrays of an .npz file that is not compressed are memory-mapped.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import torch
from numpy.lib import format as npy

from datasets.slides.attributes import FEATURE_NAMES, numeric_attributes
from datasets.slides.damaged_slide import reading
from datasets.slides.slide_checks import check_coords_shape, check_layout
from datasets.slides.slide_content import SlideContent, coords_tensor, feature_type, native_tensor
from datasets.slides.slide_ids import ending_of
from utils.errors import UserError
from utils.files.phrases import listed
from utils.files.tensors import names_found
from utils.files.zip_records import begin_of_record

_NPZ_FEATURES = (*FEATURE_NAMES, "arr_0")
_MAX_ATTRIBUTE_BYTES = 1024  # an array of one number, with its header
# The header of version 3 is UTF-8 for the sake of the names of fields, which a matrix of numbers does not have: numpy
# offers no reader of its own for it, and that of version 2 reads all else.
_HEADERS = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
    (3, 0): npy.read_array_header_2_0,
}
# Compressed features of slides take about as many bytes as they have; nothing takes a thousandth but what was made to.
_MOST_BYTES_OF_ONE = 10
_FREE_BYTES = 2**26
_PIECE = 2**20


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
    n_patches, _ = check_layout(features.shape, feature_type(features.dtype, path), path)
    names = _names(path)
    coords = None
    if "coords" in names:
        places = load_array(path, ("coords",), check=lambda shape: check_coords_shape(shape, n_patches, path))
        coords = coords_tensor(places, path)
    small = [name for name, size in names.items() if name != "coords" and size <= _MAX_ATTRIBUTE_BYTES]
    values = {name: load_array(path, (name,)) for name in small if name not in _NPZ_FEATURES}
    numbers = {name: value for name, value in values.items() if value.size == 1}
    return SlideContent(native_tensor(features), coords, numeric_attributes(numbers))


def load_array(
    path: Path, names: Sequence[str], *, check: Callable[[tuple[int, ...]], None] = lambda shape: None
) -> np.ndarray:
    """Return an array: of an .npy file, or the first of these names that an .npz file has; memory-mapped if possible.

    Args:
        path: of the file.
        names: of arrays of an .npz file.
        check: is given the shape before the array is read, and raises UserError for one that cannot be right.

    Raises UserError when the file cannot be read, has none of the names, or holds Python objects.
    """
    with _opened(path) as file:
        if ending_of(path) != ".npz":
            header = _read_header(file, path.stat().st_size, path)
            check(header.shape)
            return _mapped(path, header, 0)
        with zipfile.ZipFile(file) as archive:
            record = _record(archive, names, path)
            with archive.open(record) as content:
                header = _read_header(content, record.file_size, path)
                check(header.shape)
                if record.compress_type != zipfile.ZIP_STORED:
                    return _unpacked(content, header, record, path)
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
    with reading(path, "a file of numpy"), path.open("rb") as file:
        yield file


def _names(path: Path) -> dict[str, int]:
    """The arrays of an .npz file and the bytes of each, with its header."""
    with _opened(path) as file, zipfile.ZipFile(file) as archive:
        return {r.filename.removesuffix(".npy"): r.file_size for r in archive.infolist() if r.filename.endswith(".npy")}


def _record(archive: zipfile.ZipFile, names: Sequence[str], path: Path) -> zipfile.ZipInfo:
    there = [record.filename.removesuffix(".npy") for record in archive.infolist()]
    name = next((name for name in names if name in there), None)
    if name is None:
        raise UserError(
            f"{path} has no array '{names[0]}' (found {names_found(there)}): save the features under that name"
        )
    if there.count(name) > 1:
        raise ValueError(f"it holds {there.count(name)} arrays of the name {name!r}")
    record = archive.infolist()[there.index(name)]
    if record.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("it is compressed in a way that numpy does not write")
    if record.compress_type == zipfile.ZIP_STORED and record.file_size != record.compress_size:
        raise ValueError(f"array {name!r} is not compressed, and of another size than the archive says")
    return record


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


def _unpacked(content: BinaryIO | Any, header: _Header, record: zipfile.ZipInfo, path: Path) -> np.ndarray:
    """The array of a compressed record, read into memory."""
    if header.n_bytes > max(_FREE_BYTES, _MOST_BYTES_OF_ONE * record.compress_size):
        raise UserError(
            f"{path} declares an array of shape {header.shape}, {header.n_bytes:,} bytes, in {record.compress_size:,} "
            "compressed ones: if that is right, save it again without compression (numpy.savez)"
        )
    numbers = bytearray(header.n_bytes)
    filled = 0
    while piece := content.read(_PIECE):
        numbers[filled : filled + len(piece)] = piece
        filled += len(piece)
    if filled != header.n_bytes:  # a record may end before the size that it declares
        raise ValueError(f"{filled} bytes of numbers where the header says {header.n_bytes}")
    array = np.frombuffer(numbers, dtype=header.dtype)
    return array.reshape(header.shape, order="F" if header.fortran else "C")
