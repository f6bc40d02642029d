"""Whether a file of torch.save holds what it declares, before torch reads it.

torch takes sizes as they are written: a storage is read in the length that its pickle names, wherever its record ends,
and one number can be shown 10^15 times. So the pickle is read here first, with stand-ins for all that it names, and
every storage is held against the bytes of its record and every tensor against its storage.
"""

from __future__ import annotations

import io
import mmap
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import torch

from utils.errors import UserError
from utils.files.pickle_scan import check_pickle
from utils.files.zip_records import plain_records

ZIP_HEAD = b"PK\x03\x04"
# The number with which torch.save began every file before its zip format (PyTorch < 1.6), in a pickle of its own.
LEGACY_NUMBER = bytes.fromhex("6cfc9c46f9206aa85019")
HEAD_BYTES = 32  # within which it lies
_LENGTH_BYTES = 8  # of the number before each storage of a legacy file
_PROTOCOLS = (2, 3)  # of pickle, of which torch.load reads tensors; torch.save writes 2 unless it is told another


def check_torch_file(path: Path) -> None:
    """Check a file of torch.save, without a tensor being built.

    Compressed records are refused: torch.save writes none, and a few bytes of them may stand for gigabytes.

    Raises:
        UserError: for a file that is not damaged but of a kind that is not read: compressed, a program of TorchScript,
            of another protocol of pickle.
        one of `utils.files.tensors.LOAD_ERRORS`: for a file that is not torch's, or declares what it has not.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if head.startswith(ZIP_HEAD):
            with zipfile.ZipFile(file) as archive:
                _check_archive(archive, file, path)
        elif LEGACY_NUMBER in head:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                _check_legacy(mapped, path)
        else:
            raise ValueError("torch.save did not write it" if head else "it is empty (0 bytes)")


def _check_archive(archive: zipfile.ZipFile, file: BinaryIO, path: Path) -> None:
    names = archive.namelist()
    folder = names[0].partition("/")[0] if names else ""
    if f"{folder}/data.pkl" not in names:
        raise ValueError("it is an archive of something else than torch.save writes")
    if f"{folder}/constants.pkl" in names:
        raise UserError(f"{path} holds a program of TorchScript, which is never run: save its tensors with torch.save")
    if any(record.compress_type and record.file_size != record.compress_size for record in archive.infolist()):
        raise UserError(
            f"{path} was compressed after torch.save wrote it, and is not read like that: load it with torch.load and "
            "save it again with torch.save"
        )
    records = plain_records(archive, file)
    n_bytes_of, _ = _declared(archive.read(records[f"{folder}/data.pkl"]), 0, path)
    for key, n_bytes in n_bytes_of.items():
        record = records.get(f"{folder}/data/{key}")
        if record is None or record.file_size < n_bytes:  # more where a number does not divide the bytes of its storage
            there = "no bytes" if record is None else f"{record.file_size:,} bytes"
            raise ValueError(f"it declares {n_bytes:,} bytes of numbers and has {there} of them")


def _check_legacy(mapped: mmap.mmap, path: Path) -> None:
    end = 0
    for _ in range(3):  # the number, the version, and sizes of the machine that wrote it
        _, end = _declared(mapped, end, path)
    n_bytes, end = _declared(mapped, end, path)
    _, end = _declared(mapped, end, path)  # the order of the storages, which lie behind it
    needed = sum(n_bytes.values()) + _LENGTH_BYTES * len(n_bytes)
    there = len(mapped) - end
    if needed > there:
        raise ValueError(f"it declares {needed:,} bytes of numbers and has {there:,} of them")


def _declared(data: bytes | mmap.mmap, begin: int, path: Path) -> tuple[dict[str, int], int]:
    """The bytes of each storage that a pickle declares, by key, and where it ends.

    Every tensor in it lies within its storage.
    """
    end = check_pickle(data, begin)
    protocol = data[begin + 1] if data[begin : begin + 1] == pickle.PROTO else 0
    if protocol not in _PROTOCOLS and protocol <= pickle.HIGHEST_PROTOCOL:
        raise other_protocol(path)
    reader = _Declarations(io.BytesIO(data[begin:end]), encoding="latin1")
    reader.load()
    return reader.n_bytes, end


def other_protocol(path: Path) -> UserError:
    """The error for a pickle that torch.load reads only where it runs what is in it."""
    return UserError(
        f"{path} was saved with another pickle_protocol than that of torch.save, which is not read: save it again with "
        "torch.save, without pickle_protocol"
    )


class _Fixed:
    """What a pickle may name, and not change."""

    def __setstate__(self, state: Any) -> None:
        raise ValueError("it changes a storage")


class _Storage(_Fixed):
    """A storage of `size` numbers of `width` bytes."""

    def __init__(self, size: int, width: int) -> None:
        self.size, self.width = size, width


class _StorageType(_Fixed):
    """The type of a storage; never called."""

    def __init__(self, width: int) -> None:
        self.width = width


class _Anything:
    """Stands for what has no part in the sizes of tensors, and for what is made of it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take anything."""

    def __call__(self, *args: Any, **kwargs: Any) -> _Anything:
        """Take anything."""
        return _Anything()

    def __setstate__(self, state: Any) -> None:
        """Take anything."""

    def __setitem__(self, key: Any, value: Any) -> None:
        """Take anything."""

    def append(self, item: Any) -> None:
        """Take anything."""

    def add(self, item: Any) -> None:
        """Take anything."""


class _Tensor(_Anything):
    """A tensor as torch wrote it before it had functions that build one: without numbers, and told its storage then."""

    def __new__(cls, *args: Any) -> _Tensor:
        """Refuse sizes: torch would take memory for them."""
        if args:
            raise ValueError("it makes a tensor without a storage")
        return super().__new__(cls)

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and state and isinstance(state[0], _Storage):
            _check_tensor(*state[:4])


class _Declarations(pickle.Unpickler):
    """Reads a pickle of torch with stand-ins for all that it names, and notes its storages."""

    def __init__(self, file: BinaryIO, **options: Any) -> None:
        super().__init__(file, **options)
        self.n_bytes: dict[str, int] = {}

    def persistent_load(self, pid: Any) -> _Storage:
        """A storage, which is all that torch keeps outside of its pickle."""
        parts: tuple[Any, ...] = pid if isinstance(pid, tuple) and len(pid) in (5, 6) else (None,) * 5
        _, kind, key, _, size, *views = parts
        if not isinstance(kind, _StorageType) or not isinstance(key, str) or not _is_count(size):
            raise ValueError("it declares a storage that torch.save does not write")
        n_bytes = size * kind.width
        if self.n_bytes.setdefault(key, n_bytes) != n_bytes:
            raise ValueError(f"it declares storage {key[:20]!r} with two sizes")
        for view in views:  # of another storage, in files of the first versions of torch
            size = size if view is None else _size_of_view(view, size)
        return _Storage(size, kind.width)

    def find_class(self, module: str, name: str) -> Any:
        """A stand-in, whatever the name is: nothing is imported."""
        if name.endswith("Storage"):
            return _StorageType(_storage_width(name))
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        if name.endswith("Tensor") and module.partition(".")[0] == "torch":
            return _Tensor
        return _STAND_INS.get(name, _Anything)


def _storage_width(name: str) -> int:
    if name == "UntypedStorage":
        return 1
    try:
        width: int = torch.serialization.StorageType(name).dtype.itemsize
    except (KeyError, AttributeError) as error:
        raise ValueError(f"it names an unknown {name[:40]}") from error
    return width


def _size_of_view(view: Any, size: int) -> int:
    if not isinstance(view, tuple) or len(view) != 3 or not _is_count(view[1]) or not _is_count(view[2]):
        raise ValueError("it declares a storage that torch.save does not write")
    if view[1] + view[2] > size:
        raise ValueError("it declares a part of a storage that lies outside of it")
    return int(view[2])


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 62


def _check_tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> _Anything:
    return _check_within(storage, offset, size, stride, 0)


def _check_tensor_v3(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, hooks: Any, dtype: Any, *_: Any
) -> _Anything:
    if not isinstance(dtype, torch.dtype):
        raise ValueError("it declares a tensor of an unknown type")
    return _check_within(storage, offset, size, stride, dtype.itemsize)


def _check_within(storage: Any, offset: Any, size: Any, stride: Any, width: int) -> _Anything:
    """Raise ValueError for a tensor that shows numbers outside of its storage."""
    counts = (*size, *stride) if isinstance(size, tuple) and isinstance(stride, tuple) else (-1,)
    if not isinstance(storage, _Storage) or not _is_count(offset) or not all(map(_is_count, counts)):
        raise ValueError("it declares a tensor of a size that no tensor has")
    if len(size) != len(stride):
        raise ValueError("it declares a tensor with another number of sizes than of strides")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    width = width or storage.width
    if 0 not in size and (last + 1) * width > storage.size * storage.width:
        raise ValueError(
            f"a tensor of shape {size} in it reaches to byte {(last + 1) * width:,} of {storage.size * storage.width:,}"
        )
    return _Anything()


def _of_type(build: Callable[..., Any], kind: Any, args: Any, state: Any) -> Any:
    """A tensor of a subclass: built by one of the functions here, then given its class."""
    return build(*args)


def _bytearray(*args: Any) -> _Anything:
    """Raise ValueError for a number: so many bytes would be made."""
    if any(isinstance(argument, int) for argument in args):
        raise ValueError("it makes bytes from a number")
    return _Anything()


_STAND_INS: dict[str, Callable[..., Any]] = {
    "_rebuild_tensor": _check_tensor,
    "_rebuild_tensor_v2": _check_tensor,
    "_rebuild_tensor_v3": _check_tensor_v3,
    "_rebuild_qtensor": _check_tensor,
    "_rebuild_from_type_v2": _of_type,
    "bytearray": _bytearray,
}
