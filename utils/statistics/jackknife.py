"""How much a statistic depends on single patients: the jackknife that leaves out one patient at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from utils.statistics.interval import Estimate
from utils.statistics.resampled_metrics import concordances, resampled_metric

_PATIENTS_PER_BLOCK = 256  # memory grows with n, not with n^2


def jackknife(statistic: Callable[[np.ndarray], np.ndarray], patient: np.ndarray) -> Estimate | None:
    """A statistic with its variance over P patients, `V = (P - 1) / P sum_p (A_(-p) - mean_q A_(-q))^2`.

    A_(-p) is the statistic without patient p, with all rows of the patient left out. V has no estimate where it is
    undefined without one of the patients. Sums are exact, so the order of rows is of no account.

    Args:
        statistic: (B, n) copies of each row -> (B,) values, NaN where they are undefined.
        patient: (n,) whose row it is.

    Returns:
        The estimate; None where the statistic of all rows is undefined.

    References:
        Efron, Stein: The jackknife estimate of variance. Annals of Statistics 9(3), 586-596, 1981.
    """
    value = float(statistic(np.ones((1, len(patient))))[0])
    if math.isnan(value):
        return None
    patients, of_row = np.unique(patient, return_inverse=True)
    n_patients = len(patients)
    blocks = np.split(np.arange(n_patients), range(_PATIENTS_PER_BLOCK, n_patients, _PATIENTS_PER_BLOCK))
    left_out = np.concatenate([statistic((block[:, None] != of_row).astype(np.float64)) for block in blocks])  # (P,)
    undefined = int(np.isnan(left_out).sum())
    if undefined:
        return Estimate(value, None, f"undefined without one of {undefined} of {n_patients} patients: no variance")
    squares = (left_out - math.fsum(left_out) / n_patients) ** 2
    return Estimate(value, (n_patients - 1) / n_patients * math.fsum(squares))


def metric_jackknife(metric: str, tables: Sequence[pd.DataFrame]) -> Estimate | None:
    """`c_index`, `acc`, `f1` or `auc` of the predictions of a fold, or the mean of several models of the fold.

    Args:
        metric: as in `utils.statistics.resampled_metrics`.
        tables: predictions as of `utils.runs.predictions.read_predictions`; a patient (`case_id`) is left out of all.
    """
    ends = np.cumsum([len(table) for table in tables])[:-1]

    def mean(counts: np.ndarray) -> np.ndarray:
        parts = np.split(counts, ends, axis=1)
        values = [resampled_metric(metric, table, part) for table, part in zip(tables, parts, strict=True)]
        return np.asarray(np.mean(values, axis=0))

    return jackknife(mean, np.concatenate([table["case_id"].to_numpy(dtype=str) for table in tables]))


def concordance_jackknife(event: np.ndarray, time: np.ndarray, risk: np.ndarray) -> Estimate | None:
    """Harrell's C (`utils.statistics.survival_stats.concordance`) of n patients; None without a comparable pair."""
    return jackknife(lambda counts: concordances(event, time, risk, counts), np.arange(len(event)))
