"""Concordance over the pairs of cases of the same fold, for scores that have no common scale between folds.

The models of two folds are different ones, so their scores are not compared: C-index and AUC of a run count the pairs
within each fold, `sum_k concordant_k / sum_k comparable_k`. Both are the same sum over other pairs: of a death and a
case that outlived it, or of a positive and a negative case.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from utils.statistics.survival_stats import TIED_RISK, UndefinedMetricError, check_risk, check_survival

_LIMIT = NormalDist().inv_cdf(0.975)
_NO_VARIANCE = 1e-20


@dataclass(frozen=True)
class Pairs:
    """Comparable pairs of n cases.

    Attributes:
        blocks: of each fold its cases (m,) and (m, m) whether the first is to have the higher score than the second.
        n: number of cases.
        tied: scores that differ by no more count one half.
    """

    blocks: tuple[tuple[np.ndarray, np.ndarray], ...]
    n: int
    tied: float


@dataclass(frozen=True)
class PairShare:
    """A share of pairs, or a difference of two, with 95 % limits; limits that are None are so for the `reason`."""

    value: float
    low: float | None
    high: float | None
    reason: str | None = None


def survival_pairs(event: np.ndarray, time: np.ndarray, fold: np.ndarray) -> Pairs:
    """Those of Harrell's C: a death and a case of its fold with a later time, or censored at the same time.

    Args:
        event: (n,) 1 = death observed, 0 = censored.
        time: (n,) months.
        fold: (n,) labels of any kind.
    """
    event, time = check_survival(event, time)
    blocks = []
    for rows in _rows_of(fold, len(event)):
        later = time[rows][None, :] > time[rows][:, None]
        censored_then = (time[rows][None, :] == time[rows][:, None]) & ~event[rows][None, :]
        blocks.append((rows, event[rows][:, None] & (later | censored_then)))
    return Pairs(tuple(blocks), len(event), TIED_RISK)


def class_pairs(positive: np.ndarray, fold: np.ndarray) -> Pairs:
    """Those of the AUC: a positive case and another one of its fold; `positive` (n,) bool, `fold` (n,) labels."""
    blocks = [(rows, positive[rows][:, None] & ~positive[rows][None, :]) for rows in _rows_of(fold, len(positive))]
    return Pairs(tuple(blocks), len(positive), 0.0)


def concordance_within_folds(pairs: Pairs, score: np.ndarray) -> PairShare:
    """The share of comparable pairs whose scores (n,) are in order, ties one half, with 95 % limits.

    The variance is the jackknife's over cases, `V = (n - 1) / n sum_i (C_(i) - mean C_(.))^2`, C_(i) without the pairs
    of case i; the limits are Wald's on the logit scale, `logit C -+ 1.96 sqrt(V) / (C (1 - C))`. The scores are held
    fixed: limits say how much the cases matter, not how much another training would.

    Raises:
        UndefinedMetricError: no comparable pair within a fold.

    Deaths at 1 and 2 months and a case censored at 3, in one fold: three pairs, two of them in order.

    >>> pairs = survival_pairs(np.array([1, 1, 0]), np.array([1, 2, 3]), np.zeros(3))
    >>> round(concordance_within_folds(pairs, np.array([2.0, 3.0, 1.0])).value, 3)
    0.667
    """
    value, without = _jackknife(pairs, score)
    if without is None:
        return PairShare(value, None, None, "every pair has one case in common")
    variance = _variance(without)
    if not 0 < value < 1:
        return PairShare(value, None, None, f"all pairs are in {'order' if value == 1 else 'the wrong order'}")
    if variance < _NO_VARIANCE:
        return PairShare(value, None, None, "the cases differ too little for a variance")
    logit, reach = math.log(value / (1 - value)), _LIMIT * math.sqrt(variance) / (value * (1 - value))
    low, high = (float(1 / (1 + np.exp(-(logit + side * reach)))) for side in (-1, 1))
    return PairShare(value, low, high)


def concordance_difference(pairs: Pairs, score: np.ndarray, other: np.ndarray) -> PairShare:
    """Concordance of `score` minus that of `other`, both (n,), over the same pairs, with 95 % limits.

    The variance is the jackknife's of the difference, `V = (n - 1) / n sum_i (D_(i) - mean D_(.))^2`, the limits
    `D -+ 1.96 sqrt(V)`.

    Raises:
        UndefinedMetricError: no comparable pair within a fold.
    """
    (value, without), (other_value, other_without) = _jackknife(pairs, score), _jackknife(pairs, other)
    difference = value - other_value
    variance = 0.0 if without is None or other_without is None else _variance(without - other_without)
    if variance < _NO_VARIANCE:
        return PairShare(difference, None, None, "the cases differ too little for a variance")
    reach = _LIMIT * math.sqrt(variance)
    return PairShare(difference, difference - reach, difference + reach)


def _rows_of(fold: np.ndarray, n_cases: int) -> Iterator[np.ndarray]:
    if np.shape(fold) != (n_cases,):
        raise ValueError(f"fold: expected shape ({n_cases},), got {np.shape(fold)}")
    yield from (np.flatnonzero(fold == name) for name in np.unique(fold))


def _jackknife(pairs: Pairs, score: np.ndarray) -> tuple[float, np.ndarray | None]:
    """The share over all pairs, and (n,) the share without each case; None where a case is in every pair."""
    score = check_risk(score, pairs.n)
    won, compared = np.zeros(pairs.n), np.zeros(pairs.n)  # of the pairs that a case is in
    for rows, is_pair in pairs.blocks:
        difference = score[rows][:, None] - score[rows][None, :]
        share = is_pair * np.where(np.abs(difference) <= pairs.tied, 0.5, difference > 0)  # (m, m)
        won[rows] = share.sum(axis=0) + share.sum(axis=1)
        compared[rows] = is_pair.sum(axis=0) + is_pair.sum(axis=1)
    n_won, n_compared = won.sum() / 2, compared.sum() / 2
    if n_compared == 0:
        raise UndefinedMetricError("no comparable pair within a fold")
    if (compared == n_compared).any():
        return float(n_won / n_compared), None
    return float(n_won / n_compared), (n_won - won) / (n_compared - compared)


def _variance(without: np.ndarray) -> float:
    return float((len(without) - 1) * without.var())
