"""The .h5 feature file of CLAM, TRIDENT and STAMP: datasets `features` (or `feats`) and `coords`, and attributes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import torch

from datasets.slides.attributes import FEATURE_NAMES, numeric_attributes
from datasets.slides.file_rows import read_rows_of
from datasets.slides.h5_attributes import text_attribute, told_of_patches
from datasets.slides.h5_chunks import check_written, find_stretches, read_stretches
from datasets.slides.h5_datasets import check_storage, dtype_of, find_dataset, names_in
from datasets.slides.h5_errors import told_by_hdf5
from datasets.slides.h5_opened import H5Dataset, H5File, opened_h5
from datasets.slides.slide_checks import check_coords_shape, check_coords_values, check_layout
from datasets.slides.slide_content import SlideContent, check_coords_type, coords_tensor, feature_type, native_tensor
from datasets.slides.stamp import place_stamp_coords
from utils.errors import UserError
from utils.files.atomic import atomic_path

_SLIDE_LEVEL = ("slide", "patient")  # what STAMP calls files whose features are of a whole slide or patient


class H5Slide:
    """An open .h5 file, whose features have passed all checks that need no number of them.

    Attributes:
        shape: of the features, (M, D) or (1, M, D).
        dtype: of the features.
    """

    def __init__(self, file: H5File, path: Path) -> None:
        self._file, self._path = file, path
        self._dataset = _features_of(file, path)
        self.dtype = feature_type(dtype_of(self._dataset, "features", path), path)
        self.shape = self._dataset.shape
        self._n_patches, _ = check_layout(self.shape, self.dtype, path)
        check_storage(self._dataset, path)

    def read_all(self) -> torch.Tensor:
        """All features: memory-mapped (copy on write) if they are in one piece, else in memory."""
        with told_by_hdf5(self._path):
            mapped = _memory_map(self._dataset)
            return native_tensor(_read_all(self._dataset) if mapped is None else mapped)

    def read_rows(self, rows: np.ndarray) -> torch.Tensor:
        """The features (len(rows), D) of sorted and unique rows.

        No chunk of the file is read twice, and none that holds no row.
        """
        with told_by_hdf5(self._path):
            return native_tensor(_read_rows(self._dataset, rows))

    def check_written(self) -> None:
        """Raise UserError for rows that were never written, without reading one."""
        with told_by_hdf5(self._path):
            check_written(self._dataset)

    def read_places(self) -> tuple[torch.Tensor | None, dict[str, float]]:
        """The coordinates, None if there are none, and the numeric attributes."""
        coords = find_dataset(self._file, "coords", self._path)
        if coords is None:
            return None, numeric_attributes(told_of_patches(self._file, None, self._path))
        check_coords_type(dtype_of(coords, "coords", self._path), self._path)
        check_coords_shape(coords.shape, self._n_patches, self._path)
        check_storage(coords, self._path)
        with told_by_hdf5(self._path):
            numbers = coords_tensor(_read_all(coords), self._path)
        check_coords_values(numbers, self._path)
        told = told_of_patches(self._file, coords, self._path)
        return place_stamp_coords(numbers, told, numeric_attributes(told))


@contextmanager
def open_h5(path: Path) -> Iterator[H5Slide]:
    """Open a file, whose header is checked.

    Raises UserError when the file cannot be read, has no features, or has them elsewhere than in itself; so do the
    functions of what is opened.
    """
    with opened_h5(path) as file:
        yield H5Slide(file, path)


def load_h5(path: Path) -> SlideContent:
    """Return what the file holds; coordinates of STAMP are placed as `datasets.slides.stamp` describes.

    A contiguous dataset is memory-mapped (copy on write), one in chunks is read into memory.
    Raises UserError as `open_h5` does, and for rows that were never written.
    """
    with open_h5(path) as slide:
        coords, attributes = slide.read_places()
        return SlideContent(slide.read_all(), coords, attributes)


def save_h5(path: Path, features: torch.Tensor, coords: torch.Tensor | None, attributes: dict[str, float]) -> None:
    """Write the datasets contiguously (so that readers can map them), atomically."""
    if features.dtype == torch.bfloat16:
        raise UserError(f"{path} cannot hold bfloat16, which HDF5 has no type for: write float16, or a .pt file")
    # In memory first: HDF5 ends the process where it cannot write the last bytes of a file to a full disk.
    with h5py.File(path.name, "w", driver="core", backing_store=False) as file:
        file.create_dataset("features", data=features.detach().cpu().numpy())
        if coords is not None:
            dataset = file.create_dataset("coords", data=coords.detach().cpu().numpy())
            dataset.attrs.update(attributes)
        file.flush()
        content = file.id.get_file_image()
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def _features_of(file: H5File, path: Path) -> H5Dataset:
    found = (find_dataset(file, name, path) for name in FEATURE_NAMES)
    dataset = next((dataset for dataset in found if dataset is not None), None)
    if dataset is None:
        names = names_in(file, path)
        expected = "expected the layout of CLAM, TRIDENT or STAMP"
        if names == ["coords"]:
            expected = "these are positions of patches; give the folder of the features that were made from them"
        raise UserError(f"{path} has no dataset 'features' (found {', '.join(names) or 'nothing'}): {expected}")
    kind = text_attribute(file, "feat_type", path)
    if kind in _SLIDE_LEVEL:
        raise UserError(f"{path} holds features of a whole {kind} (feat_type): give the folder with features of tiles")
    return dataset


def _offset_of(dataset: H5Dataset) -> int | None:
    """Where the numbers of a dataset begin in its file; None if not in one piece or not as numpy has them in memory."""
    offset: int | None = dataset.id.get_offset()
    return None if dataset.size == 0 or not dataset.is_plain else offset


def _memory_map(dataset: H5Dataset) -> np.ndarray | None:
    """The dataset as a copy-on-write memory map; None if it cannot be mapped."""
    offset = _offset_of(dataset)
    if offset is None:
        return None
    path = dataset.file.path
    with path.open("rb") as again:  # a map keeps its descriptor, and that of HDF5 holds a lock
        if not os.path.sameopenfile(again.fileno(), dataset.file.descriptor):
            raise UserError(f"{path} was replaced while it was read: start again when nothing writes to its folder")
        return np.memmap(again, dtype=dataset.dtype, mode="c", offset=offset, shape=dataset.shape)


def _read_all(dataset: H5Dataset) -> np.ndarray:
    stretches = find_stretches(dataset)
    return dataset[...] if stretches is None else read_stretches(dataset, stretches)


def _read_rows(dataset: H5Dataset, rows: np.ndarray) -> np.ndarray:
    offset = _offset_of(dataset)
    if offset is not None:
        taken = np.empty((len(rows), dataset.shape[-1]), dtype=dataset.dtype)
        offsets = offset + rows * taken.strides[0]
        read_rows_of(dataset.file.descriptor, offsets, taken.view(np.uint8))
        return taken
    # To find all chunks took 0.8 us a chunk, to read a row by h5py 7 us more than to read it from where it lies. Places
    # that are found are kept, and h5py reads ahead: 14 MB of a file on a cold disk, and not 5, for 874 of 10,000 rows.
    if 32 * len(rows) * _chunk_rows(dataset) < dataset.shape[-2]:
        check_written(dataset)
        return _read_chunked(dataset, rows)
    stretches = find_stretches(dataset)
    return _read_chunked(dataset, rows) if stretches is None else read_stretches(dataset, stretches, rows)


def _chunk_rows(dataset: H5Dataset) -> int:
    return int(dataset.chunks[-2]) if dataset.chunks else 1


def _read_chunked(dataset: H5Dataset, rows: np.ndarray) -> np.ndarray:
    """Read sorted rows of a (M, D) or (1, M, D) dataset chunk by chunk: (len(rows), D).

    h5py's own selection by a list of rows is slower than linear: 10,000 of 20,000 rows took 1.4 s against 0.05 s here.
    """
    lead = (0,) * (dataset.ndim - 2)
    taken = np.empty((len(rows), dataset.shape[-1]), dtype=dataset.dtype)
    size = _chunk_rows(dataset)
    if size == 1:
        for position, row in enumerate(rows):
            taken[position] = dataset[(*lead, int(row))]
        return taken
    starts = np.flatnonzero(np.diff(rows // size, prepend=-1))
    for begin, end in pairwise([*starts, len(rows)]):
        first, last = int(rows[begin]), int(rows[end - 1])
        taken[begin:end] = dataset[(*lead, slice(first, last + 1))][rows[begin:end] - first]
    return taken
