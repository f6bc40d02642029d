"""Texts of variable length in an .h5 file, read so that damage to the place where they lie cannot stop HDF5.

HDF5 keeps them in global heaps, and walks through a heap from object to object. An object of no length, as where a part
of a file became zeros, keeps it there for ever (HDF5 1.14.6). So it reads such a text through a file that looks at
every heap first. No other attribute or number of a slide lies in such a heap.
"""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import Any

import h5py

from datasets.slides.h5_errors import told_by_hdf5
from datasets.slides.h5_opened import H5Dataset, H5File
from utils.errors import UserError

_MAGIC = b"GCOL"
_VERSION = 1
_HEADER = struct.Struct("<4sB3xQ")  # magic, version, bytes of the heap
_OBJECT = struct.Struct("<HHIQ")  # number (0: the rest of the heap is free), references, nothing, bytes
_SIZE_BYTES = 8  # of an address and of a length, in all files but some very old ones


def variable_text(holder: H5File | H5Dataset, name: str, path: Path) -> str | bytes:
    """The text of an attribute of a file or dataset; raises UserError where it cannot be read."""
    with told_by_hdf5(path, f"attribute '{name}': "):
        file = holder.file
        if file.id.get_create_plist().get_sizes() != (_SIZE_BYTES, _SIZE_BYTES):
            raise ValueError("addresses are not of 8 bytes")
        with _CheckedFile(path) as checked:
            if not os.path.sameopenfile(checked.fileno(), file.descriptor):
                raise UserError(f"{path} was replaced while it was read: start again when nothing writes to its folder")
            with h5py.File(checked, "r") as again:
                text: str | bytes = again[holder.name].attrs[name]
        return text


class _CheckedFile(io.FileIO):
    """A file of which every global heap is checked when HDF5 reads its beginning."""

    def readinto(self, buffer: Any) -> int:
        begin = self.tell()
        count = super().readinto(buffer) or 0
        overlap = min(begin, len(_MAGIC) - 1)  # where a read ended amid the magic bytes
        seen = os.pread(self.fileno(), overlap, begin - overlap) + bytes(memoryview(buffer)[:count])
        place = seen.find(_MAGIC)
        while place >= 0:
            _check_heap(self.fileno(), begin - overlap + place)
            place = seen.find(_MAGIC, place + 1)
        return count


def _check_heap(descriptor: int, begin: int) -> None:
    """OSError for a heap through which no walk leads to the end."""
    header = os.pread(descriptor, _HEADER.size, begin)
    if len(header) < _HEADER.size or header[len(_MAGIC)] != _VERSION:
        return  # no heap: HDF5 says so itself, if it needs one here
    _, _, n_bytes = _HEADER.unpack(header)
    if n_bytes > os.fstat(descriptor).st_size - begin:
        raise OSError(f"a heap of {n_bytes} bytes is longer than the file")
    heap = os.pread(descriptor, n_bytes, begin)
    at = _HEADER.size
    while at + _OBJECT.size <= len(heap):
        number, _, _, length = _OBJECT.unpack_from(heap, at)
        step = length if number == 0 else _OBJECT.size + -(-length // 8) * 8
        if not _OBJECT.size <= step <= len(heap) - at:
            raise OSError(f"a heap has an object of {length} bytes in {len(heap) - at}")
        at += step
