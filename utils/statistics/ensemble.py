"""The ensemble of the folds of a run: the mean of what its models say of the same cases.

Classification: the mean of the class probabilities. Survival: the mean of the survival curves, bin by bin,
`S_j = mean_k S_kj` with `S_kj = prod_{i <= j} (1 - hazard_ki)` of fold k; hazards and risk are those of the mean curve,
`hazard_j = 1 - S_j / S_{j-1}` with `S_{-1} = 1`, and `risk = - sum_j S_j`. The time bins of the folds are quantiles of
the event times of different training cases: bin j of one fold and of another are about, not exactly, the same months.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from utils.runs.predictions import output_columns, task_of
from utils.runs.tasks import CLASSIFICATION


def ensemble_table(tables: Mapping[int, pd.DataFrame]) -> pd.DataFrame:
    """The predictions of the ensemble, from {fold: predictions} of the same cases in the same order.

    Identifiers and outcomes are those of the first table, and so is `bin`, though each fold has time bins of its own:
    whoever needs it has to set it.

    Raises:
        ValueError: no table, or tables of different cases, tasks or numbers of outputs.
    """
    first, *others = tables.values()
    outputs = output_columns(first)
    for other in others:
        if list(other.columns) != list(first.columns) or not other["slide_ids"].equals(first["slide_ids"]):
            raise ValueError("expected tables of the same cases, in the same order and with the same columns")
    values = np.stack([table[outputs].to_numpy(dtype=np.float64) for table in tables.values()])  # (folds, n, C)
    mean = first.copy()
    if task_of(first) == CLASSIFICATION:
        mean[outputs] = values.mean(axis=0)
        mean["prediction"] = values.mean(axis=0).argmax(axis=1)
        return mean
    survival = np.cumprod(1 - values, axis=2).mean(axis=0)  # (n, C)
    mean["risk"] = -survival.sum(axis=1)
    mean[outputs] = hazards_of(survival)
    return mean


def hazards_of(survival: np.ndarray) -> np.ndarray:
    """`hazard_j = 1 - S_j / S_{j-1}` of survival curves (n, C), with `S_{-1} = 1`; 1 where nobody is left.

    >>> hazards_of(np.array([[0.5, 0.25, 0.0, 0.0]])).tolist()
    [[0.5, 0.5, 1.0, 1.0]]
    """
    before = np.concatenate([np.ones((len(survival), 1)), survival[:, :-1]], axis=1)
    conditional = np.divide(survival, before, out=np.zeros_like(survival), where=before > 0)
    return 1 - conditional
