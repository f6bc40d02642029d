"""The .h5 feature file: all of it, some of its rows, its header and its origin."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from datasets.inspect.origins import origin_of
from datasets.slides.features import open_slide, read_header, read_slide
from utils.errors import UserError

SUFFIX = ".h5"
_SHAPE = (40, 8)
_TRIDENT: dict[str, Any] = {
    "patch_size_level0": 512,
    "patch_size": 256,
    "level0_magnification": 40,
    "target_magnification": 20,
    "overlap": 0,
    "name": "slide_1",
    "savetodir": "/data/features",
}


def seeds(folder: Path) -> list[Path]:
    """Small files as CLAM, TRIDENT and STAMP write them, in the layouts and filters of HDF5."""
    numbers = np.random.default_rng(0).standard_normal(_SHAPE).astype("f4")
    options: dict[str, dict[str, Any]] = {
        "contiguous": {},
        "tracked": {"track_times": True},
        "gzip": {"chunks": (8, 8), "compression": "gzip"},
        "lzf": {"chunks": (8, 8), "compression": "lzf"},
        "shuffle": {"chunks": (8, 8), "compression": "gzip", "shuffle": True, "fletcher32": True},
        "scaleoffset": {"chunks": (8, 8), "scaleoffset": 3},
        "parts_of_rows": {"chunks": (8, 3)},
        "extensible": {"chunks": (7, 8), "maxshape": (None, 8)},
        "extensible_twice": {"chunks": (7, 4), "maxshape": (None, None)},
        "big_endian": {"dtype": ">f4"},
    }
    files: dict[str, Callable[[Any], None]] = {
        name: partial(_plain, numbers=numbers, **how) for name, how in options.items()
    }
    files |= {dtype: partial(_plain, numbers=numbers.astype(dtype)) for dtype in ("f2", "f8")}
    files["batch"] = partial(_plain, numbers=numbers[None])
    files["clam"] = partial(_appended, numbers=numbers)
    files["stamp"] = partial(_stamp, numbers=numbers.astype("f2"))
    files["linked"] = partial(_linked, numbers=numbers)
    return [
        _write(folder / f"{name}_{libver}.h5", libver, fill)
        for name, fill in files.items()
        for libver in ("earliest", "latest")
    ]


def read(path: Path) -> None:
    """Read a file in each of the ways in which the program does; the first refusal is the answer of all."""
    refusals = [error for error in (_refusal(way, path) for way in (read_slide, _rows, _header)) if error is not None]
    if refusals:
        raise refusals[0]


def _refusal(way: Callable[[Path], Any], path: Path) -> UserError | None:
    try:
        way(path)
    except UserError as error:
        return error
    return None


def _rows(path: Path) -> None:
    with open_slide(path) as slide:
        slide.load_rows(np.array([0]))
        slide.load_rows(np.arange(0, slide.n_patches, 3))


def _header(path: Path) -> None:
    read_header(path)
    origin_of(path)


def _write(path: Path, libver: str, fill: Callable[[Any], None]) -> Path:
    with h5py.File(path, "w", libver=libver) as file:
        fill(file)
    return path


def _coords(n_patches: int) -> np.ndarray:
    return np.stack([np.arange(n_patches) % 5, np.arange(n_patches) // 5], axis=1) * 512


def _plain(file: Any, numbers: np.ndarray, **options: Any) -> None:
    file.create_dataset("features", data=numbers, **options)
    file.create_dataset("coords", data=_coords(numbers.shape[-2])).attrs.update(_TRIDENT)


def _appended(file: Any, numbers: np.ndarray) -> None:
    """As CLAM writes: features and coords in turn, batch by batch, in chunks of one row."""
    coords = _coords(len(numbers))
    for name, values in (("features", numbers), ("coords", coords)):
        width = values.shape[1]
        file.create_dataset(name, shape=(0, width), maxshape=(None, width), chunks=(1, width), dtype=values.dtype)
    for start in range(0, len(numbers), 16):
        for name, values in (("features", numbers), ("coords", coords)):
            part = values[start : start + 16]
            file[name].resize(start + len(part), axis=0)
            file[name][start:] = part
    file["coords"].attrs.update({"patch_size": 256, "downsample": np.array([2.0, 2.0]), "patch_level": 1})


def _stamp(file: Any, numbers: np.ndarray) -> None:
    file["feats"], file["coords"] = numbers, (_coords(len(numbers)) / 2).astype("f4")
    attributes = {"extractor": "uni", "unit": "um", "tile_size_um": 256.0, "tile_size_px": 224, "stamp_version": "2.1"}
    file.attrs.update({**attributes, "feat_type": "tile", "code_hash": "0" * 40})


def _linked(file: Any, numbers: np.ndarray) -> None:
    file["patches/numbers"] = numbers
    file["coords"] = _coords(len(numbers))
    file["feats"] = h5py.SoftLink("/patches/numbers")
