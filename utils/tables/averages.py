"""Mean and deviation of metrics over folds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np


def over_folds(folds: Sequence[Mapping[str, Any]], metrics: Iterable[str]) -> dict[str, dict[str, Any]]:
    """`mean`, `std` and `n_defined`, each {metric: value}, over the folds that define the metric (are not None).

    `std = sqrt(mean((x - mean)^2))` (population); mean and std are None where no fold defines the metric.

    >>> over_folds([{"acc": 0.5}, {"acc": 1.0}, {"acc": None}], ["acc"])
    {'mean': {'acc': 0.75}, 'std': {'acc': 0.25}, 'n_defined': {'acc': 2}}
    """
    defined = {name: [fold[name] for fold in folds if fold[name] is not None] for name in metrics}
    return {
        "mean": {name: float(np.mean(values)) if values else None for name, values in defined.items()},
        "std": {name: float(np.std(values)) if values else None for name, values in defined.items()},
        "n_defined": {name: len(values) for name, values in defined.items()},
    }
