"""Rows and positions that repeat: what a pipeline leaves that makes room for all patches and does not fill it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import torch

from utils.files.phrases import counted

SHARE = 0.01  # of the rows of a slide: a few background patches may well be equal
_ROWS = 256  # at once, so that products stay in the cache
_COLUMNS = 16  # compared at first; rows that agree in them are compared whole


def repetition_warnings(rows: Mapping[str, str], places: Mapping[str, str], n_slides: int) -> list[str]:
    """Sentences on slides, of `n_slides` in all, each with the first slide by name.

    Args:
        rows: {slide id: what `repeated_rows` says}, of those slides of which it says something.
        places: the same of `repeated_places`.
        n_slides: how many slides there are in all.
    """
    said = []
    if rows:
        said.append(f"{_example(rows, n_slides)}: were all features written, or are these background?")
    if places:
        said.append(f"{_example(places, n_slides)}: are these the coordinates of the patches?")
    return said


def repeated_rows(features: torch.Tensor) -> str | None:
    """What repeats in features (M, D), in words, where it is more than `SHARE` of the rows: zero rows, or one other.

    Two rows are looked at in a few columns, and only those that agree there in all: 3 ms for 10,000 x 768 float32.
    """
    n_rows = len(features)
    if n_rows < 2:
        return None
    bits = _bits(features)
    keys = _digests(bits[:, evenly_spaced(bits.shape[1], _COLUMNS)])
    ordered = np.sort(keys)
    if not (ordered[1:] == ordered[:-1]).any():
        return None
    values, counts = np.unique(keys, return_counts=True)
    n_zero = n_same = 0
    for key in values[(counts >= 2) & (counts > SHARE * n_rows)]:
        whole = _digests(bits[keys == key])
        own, sizes = np.unique(whole, return_counts=True)
        n_zero += int(sizes[own == 0].sum())
        n_same = max(n_same, int(sizes[own != 0].max(initial=0)))
    if n_zero > SHARE * n_rows:
        return f"{n_zero:,} of {n_rows:,} rows that are 0"
    return f"{n_same:,} of {n_rows:,} rows that are the same" if n_same >= 2 and n_same > SHARE * n_rows else None


def repeated_places(coords: np.ndarray) -> str | None:
    """That most patches (M, 2) lie where another one does, in words; None otherwise."""
    # `unique` by rows took 45 ms for 10,000 positions, of one number each 0.5 ms.
    one_number = coords.astype(np.int64) @ np.array([2**32, 1])
    n_places, n_patches = len(np.unique(one_number)), len(coords)
    return None if 2 * n_places > n_patches else f"{n_patches:,} patches at {counted(n_places, 'position')}"


def evenly_spaced(n: int, most: int) -> np.ndarray:
    """At most so many of the numbers 0..n-1, the first and the last among them.

    >>> evenly_spaced(3, 16), evenly_spaced(100, 4)
    (array([0, 1, 2]), array([ 0, 33, 66, 99]))
    """
    return np.arange(n) if n <= most else np.unique(np.linspace(0, n - 1, most).astype(np.int64))


def _bits(features: torch.Tensor) -> np.ndarray:
    """The numbers as unsigned integers of their size."""
    kinds = {2: (torch.int16, np.uint16), 4: (torch.int32, np.uint32), 8: (torch.int64, np.uint64)}
    signed, unsigned = kinds[features.element_size()]
    return features.detach().cpu().view(signed).numpy().view(unsigned)


def _digests(bits: np.ndarray) -> np.ndarray:
    """A number for each row, 0 for a row of zeros (also -0): equal rows have the same, others hardly ever."""
    minus_zero = bits.dtype.type(1 << (8 * bits.itemsize - 1))
    factors = _factors(bits.shape[1])
    blocks = (bits[start : start + _ROWS] for start in range(0, len(bits), _ROWS))
    sums = [(block * (block != minus_zero) * factors).sum(axis=1) for block in blocks]  # modulo 2^64
    return np.concatenate(sums)


@lru_cache(maxsize=8)
def _factors(width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 2**63, size=width, dtype=np.uint64)


def _example(found: Mapping[str, str], n_slides: int) -> str:
    slide_id = min(found)
    return f"{len(found)} of {counted(n_slides, 'slide')} repeat themselves, such as {slide_id} with {found[slide_id]}"
