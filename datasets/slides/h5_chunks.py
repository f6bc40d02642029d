"""Where the rows of a chunked .h5 dataset lie in its file, and reading them from there without HDF5.

CLAM and TRIDENT append features and coords in turn, in chunks of one row. HDF5 looks up and copies such chunks one by
one: 20,000 x 768 float16 took 64 ms and their coords 50 ms, where the 427 stretches of adjacent rows took 5 ms in all
(h5py 3.15, page cache). Finding the stretches takes 16 ms the first time.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from datasets.slides.file_rows import begins_of, read_file_rows

# A slide of 20,000 rows has about 400 stretches, 7 kB.
_REMEMBERED = 8192


@dataclass(frozen=True)
class Stretches:
    """Rows that lie one behind the other in a file.

    Attributes:
        first: (n,) the first row of each stretch, ascending from 0.
        offset: (n,) where it begins in the file, in bytes.
        n_rows: M, the rows of the dataset.
    """

    first: np.ndarray
    offset: np.ndarray
    n_rows: int

    def offsets(self, row_bytes: int) -> np.ndarray:
        """Where each row begins in the file, in bytes: (M,)."""
        lengths = np.diff(self.first, append=self.n_rows)
        return np.repeat(self.offset - self.first * row_bytes, lengths) + np.arange(self.n_rows) * row_bytes


def find_stretches(dataset: Any) -> Stretches | None:
    """Where the rows of a dataset (M, D) or (1, M, D) lie; None where only HDF5 can tell their numbers.

    That is so for compressed or otherwise filtered chunks, chunks that were never written or hold parts of rows, and
    numbers in another byte order. What was found is remembered for as long as the file does not change.
    """
    if not _holds_plain_rows(dataset):
        return None
    state = os.stat(dataset.file.filename)  # noqa: PTH116
    return _find_once(dataset.file.filename, dataset.name, (state.st_ino, state.st_size, state.st_mtime_ns))


def read_stretches(dataset: Any, stretches: Stretches, rows: np.ndarray | None = None) -> np.ndarray:
    """Return all rows, in the shape of the dataset, or these sorted rows (len(rows), D); OSError if the file ends."""
    width = dataset.shape[-1]
    row_bytes = width * dataset.dtype.itemsize
    taken = np.empty(dataset.shape if rows is None else (len(rows), width), dtype=dataset.dtype)
    offsets = stretches.offsets(row_bytes)[slice(None) if rows is None else rows]
    read_file_rows(Path(dataset.file.filename), offsets, taken.reshape(-1, width).view(np.uint8))
    return taken


def _holds_plain_rows(dataset: Any) -> bool:
    shape, chunks = dataset.shape, dataset.chunks
    return (
        chunks is not None
        and dataset.size > 0
        and (dataset.ndim == 2 or (dataset.ndim == 3 and shape[0] == chunks[0] == 1))
        and chunks[-1] == shape[-1]
        and dataset.id.get_create_plist().get_nfilters() == 0
        and is_plain(dataset)
    )


def is_plain(dataset: Any) -> bool:
    """Whether the bytes of a dataset in its file are the numbers that numpy would have in memory."""
    own_type = dataset.dtype.kind in "fiu" and dataset.id.get_type() == h5py.h5t.py_create(dataset.dtype)
    return own_type and dataset.dtype.isnative and not dataset.file.userblock_size


@lru_cache(maxsize=_REMEMBERED)
def _find_once(path: str, name: str, state: Sequence[int]) -> Stretches | None:
    with h5py.File(path, "r") as file:
        return _find(file[name])


def _find(dataset: Any) -> Stretches | None:
    n_rows, size = dataset.shape[-2], dataset.chunks[-2]
    row_bytes = dataset.shape[-1] * dataset.dtype.itemsize
    offsets = np.full(-(-n_rows // size), -1, dtype=np.int64)

    def note(chunk: Any) -> None:
        if chunk.size == size * row_bytes:
            offsets[chunk.chunk_offset[-2] // size] = chunk.byte_offset

    dataset.id.chunk_iter(note)
    if (offsets < 0).any():
        return None
    begins = begins_of(offsets, size * row_bytes)
    return Stretches(begins * size, offsets[begins], n_rows)
