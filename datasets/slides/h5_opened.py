"""An open .h5 file and its datasets. HDF5 is asked once for each thing that is true of them.

h5py's own `File` and `Dataset` ask again at each attribute, and make an object of the file for each `dataset.file`: of
a file of a few patches that took longer than all reading.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from datasets.slides.h5_errors import told_by_hdf5

_SIGNATURE = b"\x89HDF\r\n\x1a\n"


class H5File:
    """An open file.

    Attributes:
        id: h5py's identifier of it.
        path: where it is.
        name: of its root group, whose attributes are those of the file.
        descriptor: of the system.
    """

    name = "/"

    def __init__(self, file_id: Any, path: Path) -> None:
        self.id, self.path = file_id, path
        self.descriptor: int = file_id.get_vfd_handle()
        self._datasets: list[H5Dataset] = []

    @property
    def file(self) -> H5File:
        """Itself, as a dataset has its file."""
        return self

    @cached_property
    def userblock_size(self) -> int:
        """Bytes before its HDF5 part."""
        begins = os.pread(self.descriptor, len(_SIGNATURE), 0) == _SIGNATURE
        return 0 if begins else int(self.id.get_create_plist().get_userblock())

    def dataset(self, dataset_id: Any, name: str) -> H5Dataset:
        """One of its datasets, which is closed with it."""
        dataset = H5Dataset(dataset_id, self, name)
        self._datasets.append(dataset)
        return dataset

    def close(self) -> None:
        """Close it, with its datasets and whatever else of it is still open."""
        for dataset in self._datasets:
            del dataset.id
        if h5py.h5f.get_obj_count(self.id, h5py.h5f.OBJ_LOCAL | h5py.h5f.OBJ_ALL) > 1:  # in the frames of an error
            h5py.File(self.id).close()
        else:
            self.id.close()


class H5Dataset:
    """A dataset, of which nothing was read. What it says of itself raises as h5py does.

    Attributes:
        id: h5py's identifier of it.
        file: the file that it lies in.
        name: in the file, such as `/features`.
    """

    def __init__(self, dataset_id: Any, file: H5File, name: str) -> None:
        self.id, self.file, self.name = dataset_id, file, name

    @cached_property
    def plist(self) -> Any:
        """How it was created."""
        return self.id.get_create_plist()

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Of its numbers; (0,) without a space for any, which h5py calls Empty."""
        shape: tuple[int, ...] | None = self.id.shape
        return (0,) if shape is None else shape

    @property
    def ndim(self) -> int:
        """How many dimensions it has."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)

    @cached_property
    def type(self) -> Any:
        """The type of its numbers, as HDF5 has it."""
        return self.id.get_type()

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """The type of its numbers, as numpy has it."""
        dtype: np.dtype[Any] = self.type.dtype
        return dtype

    @cached_property
    def chunks(self) -> tuple[int, ...]:
        """The shape of a chunk; () if it is not in chunks."""
        return self.plist.get_chunk() if self.plist.get_layout() == h5py.h5d.CHUNKED else ()

    @cached_property
    def n_filters(self) -> int:
        """How many filters its chunks went through."""
        return int(self.plist.get_nfilters())

    @cached_property
    def is_plain(self) -> bool:
        """Whether its bytes in the file are the numbers that numpy would have in memory."""
        own_type = self.dtype.kind in "fiu" and self.type == type_in_memory(self.dtype)
        return own_type and self.dtype.isnative and not self.file.userblock_size

    def __getitem__(self, selection: Any) -> np.ndarray:
        """Numbers, read by HDF5."""
        numbers: np.ndarray = h5py.Dataset(self.id, readonly=True)[selection]
        return numbers


@contextmanager
def opened_h5(path: Path) -> Iterator[H5File]:
    """The file; UserError when it cannot be opened. What the block raises passes as it is."""
    with told_by_hdf5(path):
        file = H5File(h5py.h5f.open(os.fsencode(path), h5py.h5f.ACC_RDONLY, _access()), path)
    try:
        yield file
    finally:
        with told_by_hdf5(path):
            file.close()


@lru_cache(maxsize=64)
def type_in_memory(dtype: np.dtype[Any]) -> Any:
    """The type that HDF5 has for numbers as numpy has them."""
    return h5py.h5t.py_create(dtype)


@cache
def _access() -> Any:
    """How files are opened, by the driver whose descriptor can be asked for."""
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fapl_sec2()
    return access
