"""Metrics with their jackknife variance over patients."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from utils.statistics.delete_one import DeleteOne, delete_one_patient
from utils.statistics.interval import Estimate


def metric_jackknife(metric: str, tables: Sequence[pd.DataFrame]) -> Estimate | None:
    """`c_index`, `acc`, `f1` or `auc` of the predictions of a fold, or the mean of several models of the fold.

    With A_(-p) the metric without patient p of P, left out of all tables, `V = (P - 1) / P sum_p (A_(-p) - mean_q
    A_(-q))^2`. V has no estimate where the metric is undefined without one of the patients. Sums are exact, so the
    order of rows is of no account.

    Args:
        metric: as in `utils.statistics.delete_one`.
        tables: predictions as of `utils.runs.predictions.read_predictions`; one at least.

    Returns:
        The estimate; None where the metric is undefined.

    References:
        Efron, Stein: The jackknife estimate of variance. Annals of Statistics 9(3), 586-596, 1981.
    """
    of_tables = [delete_one_patient(metric, table) for table in tables]
    value = float(np.mean([of_table.value for of_table in of_tables]))
    if math.isnan(value):
        return None
    patients = np.unique(np.concatenate([of_table.patients for of_table in of_tables]))
    without = np.mean([_without(patients, of_table) for of_table in of_tables], axis=0)  # (P,)
    undefined, n_patients = int(np.isnan(without).sum()), len(patients)
    if undefined:
        return Estimate(value, None, f"undefined without one of {undefined} of {n_patients} patients: no variance")
    squares = (without - math.fsum(without) / n_patients) ** 2
    return Estimate(value, (n_patients - 1) / n_patients * math.fsum(squares))


def concordance_jackknife(event: np.ndarray, time: np.ndarray, risk: np.ndarray) -> Estimate | None:
    """Harrell's C (`utils.statistics.survival_stats.concordance`) of n patients; None without a comparable pair."""
    table = pd.DataFrame({"case_id": np.arange(len(event)), "event": event, "time": time, "risk": risk})
    return metric_jackknife("c_index", [table])


def _without(patients: np.ndarray, of_table: DeleteOne) -> np.ndarray:
    """(P,) the metric without each of the patients; one that the table does not have changes nothing."""
    without = np.full(len(patients), of_table.value)
    without[np.searchsorted(patients, of_table.patients)] = of_table.without
    return without
