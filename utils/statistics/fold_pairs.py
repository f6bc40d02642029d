"""Concordance over the pairs of cases of the same fold, for scores that have no common scale between folds.

The models of two folds are different ones, so their scores are not compared: the C-index of a run counts the pairs
within each fold, `C = sum_k concordant_k / sum_k comparable_k`. The AUC of classes is the same sum where positive cases
have an event at time 0 and the others none until time 1: `as_survival`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from utils.statistics.delete_one import pairs_of_cases
from utils.statistics.interval import NO_VARIANCE, Estimate, Interval, Z, logit_interval, shared_training
from utils.statistics.survival_stats import UndefinedMetricError

_TOO_FEW = "too few pairs for a variance"


@dataclass(frozen=True)
class StratifiedConcordance:
    """`value` over `n_pairs` comparable pairs of the folds `folds`, those that have any."""

    value: float
    n_pairs: int
    folds: tuple[int, ...]


def stratified_concordance(tables: Mapping[int, pd.DataFrame]) -> StratifiedConcordance:
    """C of {fold: its test cases, with the columns `time, event, risk`}, one fold at least, and its pairs.

    It is the mean of the folds' C with their comparable pairs as weights (the plain mean gives a fold with few deaths
    as much weight as any other), and what R's `survival::concordance` gives with `strata(fold)`. Ties as in
    `utils.statistics.survival_stats.concordance`.

    Raises:
        UndefinedMetricError: no fold has a comparable pair.
    """
    fold = np.repeat(list(tables), [len(table) for table in tables.values()])
    event, time, risk = (
        np.concatenate([table[name].to_numpy() for table in tables.values()]) for name in ("event", "time", "risk")
    )
    concordant, comparable = _pairs_within_folds(event, time, fold, risk)
    if not comparable.any():
        raise UndefinedMetricError("no comparable pair in any fold")
    folds = tuple(name for name in tables if comparable[fold == name].any())
    return StratifiedConcordance(float(concordant.sum() / comparable.sum()), int(comparable.sum()) // 2, folds)


def as_survival(positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Event and time (n,) whose C-index is the AUC of the positive cases (n,) bool against the others.

    >>> [values.tolist() for values in as_survival(np.array([True, False]))]
    [[True, False], [0.0, 1.0]]
    """
    return positive, np.where(positive, 0.0, 1.0)


def concordance_within_folds(event: np.ndarray, time: np.ndarray, fold: np.ndarray, score: np.ndarray) -> Interval:
    """Harrell's C over the pairs within folds, ties in the score one half, with 95 % limits.

    The variance is the jackknife's over cases, `V = (2 - 1/K) (n - 1) / n sum_i (C_(i) - mean_j C_(j))^2`, C_(i)
    without the pairs of case i, K folds (`utils.statistics.interval.shared_training`); the limits are those of
    `utils.statistics.interval.logit_interval`. The scores are held fixed: limits say how much the cases matter, not
    how much another training would.

    Args:
        event: (n,) 1 = death observed, 0 = censored.
        time: (n,) months.
        fold: (n,) labels of any kind.
        score: (n,) higher = earlier death; compared within a fold only.

    Raises:
        UndefinedMetricError: no comparable pair within a fold.
        ValueError: see `utils.statistics.survival_stats.check_survival` and `check_risk`; another shape of `fold`.

    Two deaths at 1 and 2 months and a case censored at 3, in one fold: three pairs, two of them in order.

    >>> round(concordance_within_folds(np.array([1, 1, 0]), [1, 2, 3], np.zeros(3), [2.0, 3.0, 1.0]).value, 3)
    0.667
    """
    value, without = _shares(event, time, fold, score)
    variance = shared_training(len(np.unique(fold))) * _variance(without)
    estimate = Estimate(value, None, _TOO_FEW) if math.isnan(variance) else Estimate(value, variance)
    return logit_interval([estimate])


def concordance_difference(
    event: np.ndarray, time: np.ndarray, fold: np.ndarray, score: np.ndarray, other: np.ndarray
) -> Interval:
    """C of `score` minus C of `other`, both (n,), over the same pairs within folds, with 95 % limits.

    The variance is the jackknife's of the difference D, `V = (n - 1) / n sum_i (D_(i) - mean_j D_(j))^2`, the limits
    `D -+ 1.96 sqrt(V)`. Arguments and errors as of `concordance_within_folds`.
    """
    (value, without), (other_value, other_without) = (_shares(event, time, fold, one) for one in (score, other))
    difference, variance = value - other_value, _variance(without - other_without)
    if not variance > NO_VARIANCE:
        return Interval(difference, None, None, _TOO_FEW if math.isnan(variance) else "no case changes the difference")
    reach = Z * math.sqrt(variance)
    return Interval(difference, difference - reach, difference + reach)


def _pairs_within_folds(
    event: np.ndarray, time: np.ndarray, fold: np.ndarray, score: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`utils.statistics.delete_one.pairs_of_cases` of each fold."""
    concordant, comparable = np.zeros(len(event)), np.zeros(len(event))
    for name in np.unique(fold):
        own = fold == name
        concordant[own], comparable[own] = pairs_of_cases(event[own], time[own], score[own])
    return concordant, comparable


def _shares(event: np.ndarray, time: np.ndarray, fold: np.ndarray, score: np.ndarray) -> tuple[float, np.ndarray]:
    """C of all cases, and (n,) C without each of them; NaN where no pair is left."""
    event, time, fold, score = np.asarray(event), np.asarray(time), np.asarray(fold), np.asarray(score)
    if fold.shape != event.shape:
        raise ValueError(f"fold: expected the shape of event, {event.shape}, got {fold.shape}")
    concordant, comparable = _pairs_within_folds(event, time, fold, score)
    won, pairs = concordant.sum() / 2, comparable.sum() / 2
    if pairs == 0:
        raise UndefinedMetricError("no comparable pair within a fold")
    left = pairs - comparable
    without = np.divide(won - concordant, left, out=np.full(len(event), np.nan), where=left > 0)
    return float(won / pairs), without


def _variance(without: np.ndarray) -> float:
    """The jackknife's; NaN where a value is undefined without some case."""
    return float((len(without) - 1) * without.var())
