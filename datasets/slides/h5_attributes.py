"""The attributes of an .h5 file that are used, each read by its name: a damaged one that nobody needs can stop HDF5."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from datasets.slides.attributes import LEVEL0_MPP
from datasets.slides.h5_errors import told_by_hdf5
from datasets.slides.h5_opened import H5Dataset, H5File, type_in_memory
from datasets.slides.h5_remembered import remembered
from datasets.slides.h5_texts import variable_text
from datasets.slides.stamp import MICROMETRES, TILE_MICROMETRES

# Numbers that tell of patches and of coordinates.
_NUMBERS = (
    *LEVEL0_MPP,
    "patch_size_level0",
    "patch_size",
    "patch_level",
    "downsample",
    "overlap",
    "tile_size",
    TILE_MICROMETRES,
    MICROMETRES,
)
_UNIT, _EXTRACTOR = "unit", "extractor"  # of STAMP
_LARGEST = 1024  # bytes; longer arrays and texts are none of these


def told_of_patches(file: H5File, coords: H5Dataset | None, path: Path) -> dict[str, Any]:
    """The attributes that tell of patches: those of the coords, and of the file where these have none of a name.

    Raises UserError for one that cannot be read.
    """
    told: dict[str, Any] = {}
    for holder in (file,) if coords is None else (file, coords):
        if not count_attributes(holder, path):
            continue
        with told_by_hdf5(path):
            names = [name for name in (*_NUMBERS, _UNIT, _EXTRACTOR) if _exists(holder, name)]
        for name in names:
            if name == _EXTRACTOR:
                told[name] = ""  # that it is there tells enough
            elif name == _UNIT:
                told[name] = text_attribute(holder, name, path)
            else:
                _take_number(told, holder, name, path)
    return told


def text_attribute(holder: H5File | H5Dataset, name: str, path: Path) -> str | None:
    """The text of an attribute; None where there is none of this name, or it is no text."""
    if not has_attribute(holder, name, path):
        return None
    with _reading(name, path):
        attribute = h5py.h5a.open(holder.id, name.encode())
        kind, n_texts = attribute.get_type(), attribute.get_space().get_simple_extent_npoints()
        if kind.get_class() != h5py.h5t.STRING or n_texts != 1 or kind.get_size() > _LARGEST:
            return None
        is_variable = kind.is_variable_str()
        value = remembered(variable_text, holder, name, path) if is_variable else h5py.AttributeManager(holder)[name]
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def has_attribute(holder: H5File | H5Dataset, name: str, path: Path) -> bool:
    """Whether a file or dataset has an attribute of this name, which is not read."""
    with told_by_hdf5(path):
        return _exists(holder, name)


def count_attributes(holder: H5File | H5Dataset, path: Path) -> int:
    """How many attributes a file or dataset has."""
    with told_by_hdf5(path):
        return int(h5py.h5a.get_num_attrs(holder.id))


def _exists(holder: H5File | H5Dataset, name: str) -> bool:
    return bool(h5py.h5a.exists(holder.id, name.encode()))


def _take_number(told: dict[str, Any], holder: H5File | H5Dataset, name: str, path: Path) -> None:
    """Put an attribute that exists among those told if it consists of numbers, and of few."""
    with _reading(name, path):
        attribute = h5py.h5a.open(holder.id, name.encode())
        kind, shape = attribute.get_type(), attribute.shape
        n_bytes = 0 if shape is None else math.prod(shape) * kind.get_size()
        inner = kind.get_super() if kind.get_class() == h5py.h5t.ARRAY else kind
        if inner.get_class() in (h5py.h5t.INTEGER, h5py.h5t.FLOAT) and 0 < n_bytes <= _LARGEST:
            told[name] = _numbers_of(attribute)


def _numbers_of(attribute: Any) -> Any:
    """The number of an attribute, or its numbers as an array, as h5py's `attrs` has them."""
    whole = attribute.dtype
    dtype, shape = whole.subdtype or (whole, ())
    numbers = np.zeros(attribute.shape + shape, dtype=dtype)
    attribute.read(numbers, mtype=type_in_memory(whole))
    return numbers[()] if numbers.ndim == 0 else numbers


def _reading(name: str, path: Path) -> AbstractContextManager[None]:
    return told_by_hdf5(path, f"attribute '{name}': ")
