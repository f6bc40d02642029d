"""From values to places in the picture: ranges, scales and round ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

_NICE = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Scale:
    """From `low .. high` of the data to `start .. end` of the picture."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, values: Any) -> np.ndarray:
        """Picture units; values beyond the range are moved to its ends."""
        inside = np.clip(np.asarray(values, dtype=np.float64), self.low, self.high)
        return self.start + (inside - self.low) / (self.high - self.low) * (self.end - self.start)


def nice_ticks(low: float, high: float, n: int = 5) -> list[float]:
    """About n round numbers from `low` to `high`.

    >>> nice_ticks(0.0, 1.0), nice_ticks(-3.1, 11.0)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [0.0, 5.0, 10.0])
    """
    if not high > low:
        return [low]
    rough = (high - low) / n
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(nice * power for nice in _NICE if nice * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 10) + 0.0 for index in range(first, last + 1)]


def padded(low: float, high: float, share: float = 0.05) -> tuple[float, float]:
    """The range with a margin, and some width where all values are equal."""
    margin = (high - low) * share if high > low else max(abs(low), 1.0) * 0.1
    return low - margin, high + margin
