"""The .h5 feature file of CLAM, TRIDENT and STAMP: datasets `features` (or `feats`) and `coords`, and attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from datasets.slides.attributes import FEATURE_NAMES, numeric_attributes
from datasets.slides.file_rows import read_file_rows
from datasets.slides.h5_chunks import find_stretches, is_plain, read_stretches
from datasets.slides.slide_content import (
    SlideContent,
    check_coords_type,
    coords_tensor,
    feature_type,
    native_tensor,
    unreadable,
)
from datasets.slides.stamp import place_stamp_coords
from utils.errors import UserError
from utils.files.atomic import atomic_path
from utils.files.tensors import first_line

_SLIDE_LEVEL = ("slide", "patient")  # what STAMP calls files whose features are of a whole slide or patient


@contextmanager
def open_h5(path: Path) -> Iterator[tuple[tuple[int, ...], torch.dtype, Callable[[np.ndarray], torch.Tensor]]]:
    """Yield shape and type of the features, from the header alone, and a function that reads rows of them.

    The function takes sorted and unique rows and returns their features (rows, D); it reads no chunk of the file twice
    and none that holds no row.
    Raises UserError when the file cannot be read or has no features, in the block too.
    """
    with _opened(path) as file:
        dataset = _features_of(file, path)
        yield (
            _shape(dataset),
            feature_type(_dtype(dataset, path), path),
            lambda rows: native_tensor(_read_rows(dataset, rows)),
        )


def load_h5(path: Path) -> SlideContent:
    """Return what the file holds; coordinates of STAMP are placed as `datasets.slides.stamp` describes.

    A contiguous dataset is memory-mapped (copy on write), one in chunks is read into memory.
    Raises UserError when the file cannot be read or has no features.
    """
    with _opened(path) as file:
        dataset = _features_of(file, path)
        feature_type(_dtype(dataset, path), path)
        mapped = _memory_map(dataset)
        features = _read_all(dataset) if mapped is None else mapped
        return SlideContent(native_tensor(features), *_places(file, path))


def load_h5_places(path: Path) -> tuple[torch.Tensor | None, dict[str, float]]:
    """Return what `load_h5` does but for the features, which are not read; raises UserError as it does."""
    with _opened(path) as file:
        return _places(file, path)


def save_h5(path: Path, features: torch.Tensor, coords: torch.Tensor | None, attributes: dict[str, float]) -> None:
    """Write the datasets contiguously (so that readers can map them), atomically."""
    if features.dtype == torch.bfloat16:
        raise UserError(f"{path} cannot hold bfloat16, which HDF5 has no type for: write float16, or a .pt file")
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        file.create_dataset("features", data=features.detach().cpu().numpy())
        if coords is not None:
            dataset = file.create_dataset("coords", data=coords.detach().cpu().numpy())
            dataset.attrs.update(attributes)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file, with every failure to open or read it as a UserError."""
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError) as error:
        raise _unreadable_h5(path, error) from error


def _unreadable_h5(path: Path, error: BaseException) -> UserError:
    """The error with what HDF5 says, and what to do about it."""
    reason = first_line(error)
    if path.exists() and path.stat().st_size == 0:
        return UserError(f"{path} cannot be read as HDF5, since it is empty (0 bytes): extract its features again")
    if "unable to lock file" in reason:
        return UserError(f"{path} cannot be read as HDF5 ({reason}): wait until the program that writes it is done")
    if "filter" in reason or "plugin" in reason:
        return UserError(f"{path} cannot be read as HDF5 ({reason}): write it again without this compression")
    return unreadable(path, "HDF5", error)


def _places(file: Any, path: Path) -> tuple[torch.Tensor | None, dict[str, float]]:
    """The coordinates and the numeric attributes."""
    coords = file.get("coords")
    if not isinstance(coords, h5py.Dataset):
        return None, numeric_attributes(file.attrs)
    check_coords_type(_dtype(coords, path), path)
    told = dict(file.attrs) | dict(coords.attrs)
    return place_stamp_coords(coords_tensor(_read_all(coords), path), told, numeric_attributes(told))


def _features_of(file: Any, path: Path) -> Any:
    dataset = next((file[name] for name in FEATURE_NAMES if isinstance(file.get(name), h5py.Dataset)), None)
    if dataset is None:
        names = ", ".join(map(str, list(file)[:5])) or "nothing"
        expected = "expected the layout of CLAM, TRIDENT or STAMP"
        if list(file) == ["coords"]:
            expected = "these are positions of patches; give the folder of the features that were made from them"
        raise UserError(f"{path} has no dataset 'features' (found {names}): {expected}")
    kind = file.attrs.get("feat_type")
    if kind in _SLIDE_LEVEL:
        raise UserError(f"{path} holds features of a whole {kind} (feat_type): give the folder with features of tiles")
    return dataset


def _dtype(dataset: Any, path: Path) -> np.dtype[Any]:
    try:
        dtype: np.dtype[Any] = dataset.dtype
    except (ValueError, TypeError) as error:  # a damaged description, or a type that numpy has not
        raise unreadable(path, "HDF5", error) from error
    return dtype


def _shape(dataset: Any) -> tuple[int, ...]:
    return tuple(dataset.shape or (0,))  # a dataset without a space has None


def _offset_of(dataset: Any) -> int | None:
    """Where the numbers of a dataset begin in its file; None if not in one piece or not as numpy has them in memory."""
    offset: int | None = dataset.id.get_offset()
    return None if dataset.size == 0 or not is_plain(dataset) else offset


def _memory_map(dataset: Any) -> np.ndarray | None:
    """The dataset as a copy-on-write memory map; None if it cannot be mapped."""
    offset = _offset_of(dataset)
    if offset is None:
        return None
    return np.memmap(dataset.file.filename, dtype=dataset.dtype, mode="c", offset=offset, shape=dataset.shape)


def _read_all(dataset: Any) -> np.ndarray:
    stretches = find_stretches(dataset)
    return dataset[...] if stretches is None else read_stretches(dataset, stretches)


def _read_rows(dataset: Any, rows: np.ndarray) -> np.ndarray:
    offset = _offset_of(dataset)
    if offset is not None:
        taken = np.empty((len(rows), dataset.shape[-1]), dtype=dataset.dtype)
        read_file_rows(Path(dataset.file.filename), offset + rows * taken.strides[0], taken.view(np.uint8))
        return taken
    # To find all chunks took 0.8 us a chunk, to read a row by h5py 7 us more than to read it from where it lies.
    stretches = find_stretches(dataset) if 8 * len(rows) * _chunk_rows(dataset) >= dataset.shape[-2] else None
    return _read_chunked(dataset, rows) if stretches is None else read_stretches(dataset, stretches, rows)


def _chunk_rows(dataset: Any) -> int:
    return int(dataset.chunks[-2]) if dataset.chunks else 1


def _read_chunked(dataset: Any, rows: np.ndarray) -> np.ndarray:
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
