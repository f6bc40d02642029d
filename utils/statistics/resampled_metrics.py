"""Metrics of many bootstrap resamples at once, from how often each row of a prediction table is drawn.

`counts` W (n_resamples, n): copies of each of the n rows. Each function gives (n_resamples,) values, equal to the
metric of `utils.statistics.metrics` on the table in which row i stands W_bi times, and NaN where that resample does not
define it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from utils.machine.seed import derive_seed
from utils.runs.predictions import output_columns
from utils.statistics.survival_stats import resample_counts, resampled_pairs


def resampled_patients(table: pd.DataFrame, fold: int, *, seed: int, n_resamples: int) -> np.ndarray:
    """(1 + n_resamples, n): the table itself, then the copies of its rows in resamples of its patients.

    A patient (`case_id`) is drawn with all rows it has. Equal folds and seeds give equal draws, so that figures and
    tables of a report agree.
    """
    patients, patient_of_row = np.unique(table["case_id"].to_numpy(dtype=str), return_inverse=True)
    drawn = resample_counts(len(patients), n_resamples, derive_seed(seed, "metric intervals", fold))[:, patient_of_row]
    return np.concatenate([np.ones((1, len(table)), dtype=drawn.dtype), drawn])


def resampled_metric(metric: str, table: pd.DataFrame, counts: np.ndarray) -> np.ndarray:
    """`c_index` of a survival table, or `acc`, `f1` or `auc` of a classification table, for each resample."""
    if metric == "c_index":
        event, time, risk = (table[name].to_numpy() for name in ("event", "time", "risk"))
        return concordances(event, time, risk, counts)
    return _CLASSIFICATION[metric](table["label"].to_numpy(), table[output_columns(table)].to_numpy(), counts)


def concordances(event: np.ndarray, time: np.ndarray, risk: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Harrell's C (see `utils.statistics.survival_stats.concordance`); NaN without a comparable pair."""
    return _quotient(*resampled_pairs(event, time, risk, counts))


def accuracies(label: np.ndarray, prob: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The share of drawn rows whose first class of the highest probability is their label."""
    return _quotient(counts @ (prob.argmax(axis=1) == label).astype(np.float64), counts.sum(axis=1))


def macro_f1s(label: np.ndarray, prob: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean of `2 TP / (2 TP + FP + FN)` over the classes among the labels or predictions of the resample."""
    classes = np.arange(prob.shape[1])
    true = (label[:, None] == classes).astype(np.float64)  # (n, C)
    predicted = (prob.argmax(axis=1)[:, None] == classes).astype(np.float64)
    right, named = counts @ (true * predicted), counts @ (true + predicted)  # (n_resamples, C): TP, 2 TP + FP + FN
    f1 = np.divide(2 * right, named, out=np.zeros_like(named), where=named > 0)
    return f1.sum(axis=1) / (named > 0).sum(axis=1)


def aucs(label: np.ndarray, prob: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """AUC of class 1, or beyond two classes the mean of each class against the rest; NaN where a class is missing."""
    if prob.shape[1] == 2:
        return _auc(label == 1, prob[:, 1], counts)
    return np.mean([_auc(label == index, prob[:, index], counts) for index in range(prob.shape[1])], axis=0)


def _auc(positive: np.ndarray, score: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """`sum_ij p_i q_j (1[s_i > s_j] + 1/2 1[s_i = s_j]) / (sum_i p_i sum_j q_j)`; p, q: copies of positives, negatives.

    The sum over pairs is a running sum over the distinct scores.
    """
    order = np.argsort(score)
    copies, is_positive = counts[:, order].astype(np.float64), positive[order]
    firsts = np.flatnonzero(np.diff(score[order], prepend=-np.inf))  # where each distinct score begins
    positives = np.add.reduceat(copies * is_positive, firsts, axis=1)  # (n_resamples, distinct scores)
    negatives = np.add.reduceat(copies * ~is_positive, firsts, axis=1)
    below = np.cumsum(negatives, axis=1) - negatives
    won = (positives * (below + negatives / 2)).sum(axis=1)
    return _quotient(won, positives.sum(axis=1) * negatives.sum(axis=1))


def _quotient(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


_CLASSIFICATION: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    "acc": accuracies,
    "f1": macro_f1s,
    "auc": aucs,
}
