"""The numbers that a feature file gives for its patches, and the names of what it holds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

# What the features are called: by CLAM and TRIDENT, and by STAMP.
FEATURE_NAMES = ("features", "feats")
# What micrometres per level-0 pixel are called.
LEVEL0_MPP = ("mpp", "level0_mpp", "mpp_level0")


def numeric_attributes(attributes: Any) -> dict[str, float]:
    """Return the finite numbers among `attributes` (a mapping or None) as floats; the rest is left out.

    An array that holds one number only, such as CLAM's `downsample` (the same for x and y), is that number.

    >>> numeric_attributes({"patch_size": 256, "downsample": np.array([4.0, 4.0]), "name": "s", "mpp": float("nan")})
    {'patch_size': 256.0, 'downsample': 4.0}
    """
    numbers: dict[str, float] = {}
    for name, value in attributes.items() if isinstance(attributes, Mapping) else ():
        item = _one_number(value) if isinstance(value, np.ndarray | np.generic) else value
        if isinstance(item, int | float) and not isinstance(item, bool) and _is_finite(item):
            numbers[str(name)] = float(item)
    return numbers


def _one_number(array: Any) -> Any:
    """The number that an array or scalar of numpy consists of; None for others."""
    if array.dtype.kind not in "iuf" or array.size == 0 or not np.all(array == array.flat[0]):
        return None
    return array.flat[0].item()


def _is_finite(number: float) -> bool:
    """Whether it is a finite float: an integer of Python may be larger than any.

    >>> _is_finite(10**400)
    False
    """
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def level0_mpp(attributes: Mapping[str, float]) -> tuple[float, str] | None:
    """Micrometres per level-0 pixel and the name of the attribute that tells it; None where none does.

    >>> level0_mpp({"mpp": 0.0, "level0_mpp": 0.25})
    (0.25, 'level0_mpp')
    """
    return next(((attributes[name], name) for name in LEVEL0_MPP if attributes.get(name, 0) > 0), None)
