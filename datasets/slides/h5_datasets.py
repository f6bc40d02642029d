"""Finding a dataset in an .h5 file, and what must be true of it before a number of it is read.

HDF5 takes numbers from wherever a file says: another HDF5 file (external links, virtual datasets), any file of the
machine (external storage), nowhere (what was never written reads as zeros). And it allocates what a file declares. Here
numbers lie in the file itself, all of them, or the file is refused.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from datasets.slides.h5_chunks import check_written, name_of, never_written
from datasets.slides.h5_errors import told_by_hdf5
from datasets.slides.h5_headers import is_virtual
from datasets.slides.h5_opened import H5Dataset, H5File
from utils.errors import UserError

# Compressed features take half as many bytes to as many, and an eighth where most of them are zero; deflate makes up to
# 1,032 bytes of one, so that a small file could take all memory.
_LARGEST_EXPANSION = 10
_FREE_BYTES = 2 * 10**8  # of memory, which any compressed file may take
_NO_NUMBERS = {
    h5py.h5t.TIME: "time",
    h5py.h5t.STRING: "text",
    h5py.h5t.OPAQUE: "opaque",
    h5py.h5t.REFERENCE: "reference",
    h5py.h5t.VLEN: "lists of variable length",
    h5py.h5t.ARRAY: "array",
}
_LARGEST_NUMBER = 16  # bytes of a number, of a type with as many as numpy knows
_FOLLOWED_LINKS = 16
_NAME_LENGTH = 40  # of a filter, in a message


def find_dataset(file: H5File, name: str, path: Path) -> H5Dataset | None:
    """The dataset of this name, of which nothing was read; None where the file has nothing of this name.

    Raises UserError when it lies in another file, or is something else than a dataset.
    """
    with told_by_hdf5(path):
        place, address = _place_of(file, name, path)
        if place is None:
            return None
        if address is not None and is_virtual(file.descriptor, address, file.userblock_size):
            raise _virtual(name, path)
        opened = h5py.h5o.open(file.id, place.encode(errors="surrogateescape"))
    if isinstance(opened, h5py.h5g.GroupID):
        raise UserError(f"{path} holds '{name}' as a group: expected a dataset")
    if not isinstance(opened, h5py.h5d.DatasetID):
        raise UserError(f"{path} holds '{name}' as a data type: expected a dataset")
    with told_by_hdf5(path):
        dataset = file.dataset(opened, place)
        _check_own_storage(dataset.plist, name, path)
        return dataset


def names_in(file: H5File, path: Path, limit: int = 5) -> list[str]:
    """The first names that a file holds; raises UserError where they cannot be read."""
    names: list[str] = []

    def note(name: bytes) -> bool | None:
        names.append(name.decode(errors="replace"))
        return True if len(names) == limit else None  # anything but None ends it

    with told_by_hdf5(path):
        file.id.links.iterate(note)
    return names


def dtype_of(dataset: H5Dataset, what: str, path: Path) -> np.dtype[Any]:
    """The type of the numbers, as numpy has it; raises UserError for what HDF5 does not call numbers.

    Args:
        dataset: of which nothing was read.
        what: it holds, for the message: features or coords.
        path: of the file.
    """
    with told_by_hdf5(path):
        kind = dataset.type.get_class()
        if kind in _NO_NUMBERS:
            raise UserError(
                f"{path} holds {what} of type {_NO_NUMBERS[kind]}: expected numbers, so extract the slide again"
            )
        dtype = dataset.dtype
    if dtype.names is not None:  # complex numbers are compound in HDF5
        raise UserError(f"{path} holds {what} of type compound: expected numbers, so extract the slide again")
    return dtype


def check_storage(dataset: H5Dataset, path: Path) -> None:
    """Raise UserError for more numbers than the file has room for, and for a dataset that was never written.

    Only what the header of the dataset says is looked at: see `check_written` for single rows.
    """
    with told_by_hdf5(path):
        number_bytes = _number_bytes(dataset, path)
        shape, chunks, room = dataset.shape, dataset.chunks, os.fstat(dataset.file.descriptor).st_size
        n_bytes = math.prod(shape) * number_bytes
        if not chunks:
            _check_piece(dataset, n_bytes, room, path)
            return
        _check_filters(dataset, path)
        n_chunks = math.prod(-(-extent // size) for extent, size in zip(shape, chunks, strict=True))
        chunk_bytes = math.prod(chunks) * number_bytes
        is_packed = dataset.n_filters > 0
        largest = room * (_LARGEST_EXPANSION if is_packed else 1)
        # A compressed chunk is unpacked as a whole, beside the array that it is copied to.
        is_free = is_packed and n_bytes + chunk_bytes <= _FREE_BYTES
        if n_chunks > room or (max(n_bytes, chunk_bytes) > largest and not is_free):
            check_written(dataset)  # says which rows are missing, where some are
            tell = _too_packed if is_packed else _too_large
            raise tell(dataset, max(n_bytes, chunk_bytes), room, path)


def _check_piece(dataset: H5Dataset, n_bytes: int, room: int, path: Path) -> None:
    """The checks of `check_storage` for a dataset in one piece."""
    is_contiguous = dataset.plist.get_layout() == h5py.h5d.CONTIGUOUS
    offset = dataset.id.get_offset() if is_contiguous else 0
    if offset is None and dataset.id.get_storage_size() == 0:
        rows = dataset.shape[-2] if dataset.ndim > 1 else dataset.size
        raise never_written(dataset, f"0 to {rows - 1}", rows)
    if offset is None or offset + n_bytes > room or dataset.id.get_storage_size() < n_bytes:
        raise _too_large(dataset, n_bytes, room, path)


def _check_filters(dataset: H5Dataset, path: Path) -> None:
    for code, _, _, told in (dataset.plist.get_filter(index) for index in range(dataset.n_filters)):
        if not h5py.h5z.filter_avail(code):
            name = told.split(b";")[0][:_NAME_LENGTH].decode(errors="replace")
            raise UserError(
                f"{path} cannot be read as HDF5 (filter {code}{f', {name},' if name else ''} is not installed): set "
                "HDF5_PLUGIN_PATH to the folder of its plugin (the package hdf5plugin has those in use), or write the "
                "file again without this compression"
            )


def _too_large(dataset: H5Dataset, n_bytes: int, room: int, path: Path) -> UserError:
    return UserError(
        f"{path} cannot be read as HDF5 ('{name_of(dataset)}' of shape {dataset.shape} takes {n_bytes:,} bytes, more "
        f"than a file of {room:,} bytes can hold): if it is truncated or damaged, extract it again"
    )


def _too_packed(dataset: H5Dataset, n_bytes: int, room: int, path: Path) -> UserError:
    return UserError(
        f"{path} declares '{name_of(dataset)}' of shape {dataset.shape}, {n_bytes:,} bytes in memory, in a compressed "
        f"file of {room:,} bytes: if that is right, write it again without compression, else extract the slide again"
    )


def _number_bytes(dataset: H5Dataset, path: Path) -> int:
    size: int = dataset.type.get_size()
    if size > _LARGEST_NUMBER:
        raise UserError(
            f"{path} holds '{name_of(dataset)}' in numbers of {size} bytes: expected float16, float32 or float64"
        )
    return size


def _place_of(file: H5File, name: str, path: Path) -> tuple[str | None, int | None]:
    """The name behind all soft links, each part of which HDF5 finds in this very file, and the address of its header.

    None and None where there is nothing of this name.
    """
    links, parts, place, followed = file.id.links, [name], "", 0
    address: int | None = None
    while parts:
        step = f"{place}/{parts.pop(0)}"
        key = step.encode(errors="surrogateescape")
        if not links.exists(key):
            if not followed:
                return None, None
            raise UserError(f"{path} holds '{name}' as a link to {step}, which does not exist: extract the slide again")
        found = links.get_info(key)
        kind = found.type
        if kind == h5py.h5l.TYPE_HARD:
            place, address = step, found.u
            continue
        followed += 1
        if kind != h5py.h5l.TYPE_SOFT:
            raise UserError(
                f"{path} holds '{name}' as a link to another file{_target(links, key)}, which is not followed: give "
                "that file, or copy the numbers into this one"
            )
        if followed > _FOLLOWED_LINKS:
            raise UserError(f"{path} holds '{name}' as a link that leads to itself: extract the slide again")
        target = links.get_val(key).decode(errors="surrogateescape")
        place, address = "" if target.startswith("/") else place, None
        parts = [part for part in target.split("/") if part not in ("", ".")] + parts
    return (place, address) if place else ("/", None)


def _target(links: Any, key: bytes) -> str:
    """The file that an external link names."""
    value = links.get_val(key) if links.get_info(key).type == h5py.h5l.TYPE_EXTERNAL else None
    return "" if value is None else f" ({value[0].decode(errors='replace')})"


def _virtual(name: str, path: Path) -> UserError:
    return UserError(
        f"{path} holds '{name}' as a virtual dataset, whose numbers lie in other files and are not followed: copy the "
        "numbers into this file"
    )


def _check_own_storage(plist: Any, name: str, path: Path) -> None:
    if plist.get_layout() == h5py.h5d.VIRTUAL:
        raise _virtual(name, path)
    if plist.get_external_count():
        other = plist.get_external(0)[0]
        raise UserError(
            f"{path} keeps the numbers of '{name}' in another file ({other.decode(errors='replace')}), which is not "
            "read: copy the numbers into this file"
        )
