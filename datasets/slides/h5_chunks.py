"""Where the rows of a chunked .h5 dataset lie in its file, which were never written, and reading them without HDF5.

CLAM and TRIDENT append features and coords in turn, in chunks of one row. HDF5 looks up and copies such chunks one by
one: 20,000 x 768 float16 took 64 ms and their coords 50 ms, where the 427 stretches of adjacent rows took 5 ms in all
(h5py 3.15, page cache). Finding the stretches takes 16 ms the first time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from datasets.slides.file_rows import begins_of, read_rows_of
from datasets.slides.h5_opened import H5Dataset
from datasets.slides.h5_remembered import remembered
from utils.errors import UserError

_NAMED_GAPS = 3
_CHECKSUM_BYTES = 4  # of the filter fletcher32


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
        lengths = np.concatenate([self.first[1:], [self.n_rows]]) - self.first
        return np.repeat(self.offset - self.first * row_bytes, lengths) + np.arange(self.n_rows) * row_bytes


def find_stretches(dataset: H5Dataset) -> Stretches | None:
    """Where the rows of a dataset (M, D) or (1, M, D) lie; None where only HDF5 can tell their numbers.

    That is so for what is in one piece, for compressed or otherwise filtered chunks, for chunks that hold parts of
    rows, and for numbers in another byte order. What was found is remembered for as long as the file does not change.
    Raises UserError for rows that were never written.
    """
    return None if not dataset.chunks or dataset.size == 0 else remembered(find_in_dataset, dataset)


def check_written(dataset: H5Dataset) -> None:
    """Raise UserError for chunks that were never written: HDF5 reads zeros, or the fill value, where they would be.

    Chunks without filters are only counted, 0.6 ms for 10,000, and that once; `find_stretches` looks at each.
    """
    if dataset.chunks and dataset.size:
        remembered(find_in_dataset if dataset.n_filters else _check_count, dataset)


def _check_count(dataset: H5Dataset) -> None:
    if dataset.id.get_num_chunks() != math.prod(_grid(dataset)):
        _check_rows(dataset, _chunks_of(dataset)[0])


def read_stretches(dataset: H5Dataset, stretches: Stretches, rows: np.ndarray | None = None) -> np.ndarray:
    """Return all rows, in the shape of the dataset, or these sorted rows (len(rows), D); OSError if the file ends."""
    width = dataset.shape[-1]
    row_bytes = width * dataset.dtype.itemsize
    taken = np.empty(dataset.shape if rows is None else (len(rows), width), dtype=dataset.dtype)
    offsets = stretches.offsets(row_bytes)[slice(None) if rows is None else rows]
    read_rows_of(dataset.file.descriptor, offsets, taken.reshape(-1, width).view(np.uint8))
    return taken


def _holds_plain_rows(dataset: H5Dataset) -> bool:
    return (
        dataset.chunks[-1] == dataset.shape[-1]
        and (dataset.ndim == 2 or dataset.chunks[0] == 1)
        and dataset.n_filters == 0
        and dataset.is_plain
    )


def _smallest_chunk(dataset: H5Dataset) -> int:
    """The bytes that every chunk takes in the file at the least."""
    codes = [dataset.plist.get_filter(index)[0] for index in range(dataset.n_filters)]
    return max(1, _CHECKSUM_BYTES * codes.count(h5py.h5z.FILTER_FLETCHER32))


def _grid(dataset: H5Dataset) -> list[int]:
    """How many chunks there are along each dimension."""
    return [-(-extent // size) for extent, size in zip(dataset.shape, dataset.chunks, strict=True)]


def _chunks_of(dataset: H5Dataset) -> tuple[np.ndarray, np.ndarray]:
    """The number of each chunk in the file, counted along rows of the grid, and where it lies: offset and size (n, 2).

    ValueError for more chunks than the dataset has: a damaged index may lead through the same ones again and again.
    """
    *_, n_down, n_across = _grid(dataset)
    *_, height, width = dataset.chunks
    fields = len(dataset.chunks) + 2
    found: list[int] = []  # numbers alone: tuples that stay would start Python's garbage collection
    most = fields * n_down * n_across

    def note(chunk: Any) -> bool | None:
        corner, _, offset, size = chunk
        found.extend(corner)
        found.extend((offset, size))
        return True if len(found) > most else None  # anything but None ends it

    dataset.id.chunk_iter(note)
    if len(found) > most:
        raise ValueError("its index names more chunks than the dataset has")
    *_, row, column, offset, size = np.array(found, dtype=np.int64).reshape(-1, fields).T
    is_inside = (row < dataset.shape[-2]) & (column < dataset.shape[-1])
    return (row // height * n_across + column // width)[is_inside], np.stack([offset, size], axis=1)[is_inside]


def _check_rows(dataset: H5Dataset, numbers: np.ndarray) -> None:
    """Raise UserError, with the rows, when a chunk is not among those of these numbers."""
    *_, n_down, n_across = _grid(dataset)
    if len(numbers) == n_down * n_across and np.array_equal(np.sort(numbers), np.arange(len(numbers))):
        return
    height, n_rows = dataset.chunks[-2], dataset.shape[-2]
    downs, counts = np.unique(np.unique(numbers) // n_across, return_counts=True)
    written = downs[(counts == n_across) & (downs < n_down)]
    if len(written) == n_down:
        return
    edges = np.concatenate([[-1], written, [n_down]])
    gaps = np.flatnonzero(np.diff(edges) > 1)
    first, end = (edges[gaps] + 1) * height, np.minimum(edges[gaps + 1] * height, n_rows)
    named = [f"{a} to {b - 1}" if b - a > 1 else f"{a}" for a, b in zip(first[:_NAMED_GAPS], end, strict=False)]
    more = f" and {len(gaps) - _NAMED_GAPS} more stretches" if len(gaps) > _NAMED_GAPS else ""
    raise never_written(dataset, ", ".join(named) + more, n_rows)


def never_written(dataset: H5Dataset, named: str, n_rows: int) -> UserError:
    """The error for rows of which a file says that they exist, and which it does not hold."""
    return UserError(
        f"{dataset.file.path} lacks numbers: rows {named} of {n_rows} of '{name_of(dataset)}' were never written "
        "(the first row is 0), probably since the program that wrote them was stopped; extract the slide again"
    )


def name_of(dataset: H5Dataset) -> str:
    """The name of a dataset in its file."""
    return dataset.name.lstrip("/")


def find_in_dataset(dataset: H5Dataset) -> Stretches | None:
    """What `find_stretches` does, for a dataset in chunks, and not remembered."""
    numbers, places = _chunks_of(dataset)
    _check_rows(dataset, numbers)
    if (places[:, 1] < _smallest_chunk(dataset)).any():  # HDF5 1.14.6 reads before the memory of such a one
        raise ValueError("a chunk is smaller than its checksum, or empty")
    if not _holds_plain_rows(dataset):
        return None
    size = dataset.chunks[-2]
    chunk_bytes = size * dataset.shape[-1] * dataset.dtype.itemsize
    if (places[:, 1] != chunk_bytes).any():
        raise ValueError(f"a chunk is not of {chunk_bytes} bytes")
    offsets = np.empty(len(numbers), dtype=np.int64)
    offsets[numbers] = places[:, 0]
    begins = begins_of(offsets, chunk_bytes)
    return Stretches(begins * size, offsets[begins], dataset.shape[-2])
