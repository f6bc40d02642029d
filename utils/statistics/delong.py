"""The AUC of a score, with DeLong's variance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from utils.statistics.survival_stats import UndefinedMetricError


@dataclass(frozen=True)
class AucInterval:
    """`auc` with 95 % limits and the two-sided p value of "AUC = 0.5"; those that are None are so for the `reason`."""

    auc: float
    low: float | None
    high: float | None
    p: float | None
    reason: str | None = None


def auc_interval(positive: np.ndarray, score: np.ndarray) -> AucInterval:
    """The AUC of a score for m positive cases against n others, `A = mean_ij psi(x_i, y_j)`, and how sure it is.

    psi is 1 where the score x_i of the positive case is higher than y_j of the other, 1/2 where they are equal, else 0.
    DeLong's variance is `V = var_i(mean_j psi) / m + var_j(mean_i psi) / n` (with m - 1 and n - 1 below).

    The interval is Wald's on the logit scale, `logit A -+ 1.96 sqrt(V) / (A (1 - A))`, mapped back: it stays within 0
    and 1, which the plain one does not for strong scores or few cases. p is of the same scale: it is below 0.05 exactly
    if the interval leaves out 0.5. Where a side has one case, V has no estimate: limits and p are undefined. Where all
    positive cases lie above (or below) all others, the estimate is 0, which speaks of no certainty: limits are
    undefined, and p is that of a permutation test, which is exact: one of the `(m + n)! / (m! n!)` ways to call m cases
    positive is as extreme, and one at the other end, so `p = min(1, 2 m! n! / (m + n)!)`.

    Args:
        positive: (m + n,) bool.
        score: (m + n,) finite; the AUC is above 0.5 where positive cases have more of it.

    Raises:
        UndefinedMetricError: no positive case, no other case, or a constant score.
        ValueError: another shape or type, or a score that is not finite.

    References:
        DeLong, DeLong, Clarke-Pearson: Comparing the areas under two or more correlated receiver operating
        characteristic curves. Biometrics 44(3), 837-845, 1988.

    >>> auc_interval(np.array([True, True, False, False]), np.array([4, 2, 1, 3])).auc
    0.75
    """
    positive, score = np.asarray(positive), np.asarray(score, dtype=np.float64)
    if positive.ndim != 1 or positive.dtype != np.bool_:
        raise ValueError(f"positive: expected booleans of shape (n,), got {positive.dtype} of shape {positive.shape}")
    if score.shape != positive.shape or not np.isfinite(score).all():
        raise ValueError(f"score: expected finite numbers of shape {positive.shape}, got shape {score.shape}")
    m, n = int(positive.sum()), int((~positive).sum())
    if m == 0 or n == 0:
        raise UndefinedMetricError("no positive case" if m == 0 else "no case beside the positive ones")
    if np.ptp(score) == 0:
        raise UndefinedMetricError("constant score")
    above = _wins(score[positive], score[~positive])  # (m,): sum_j psi, in halves, so sums are exact
    below = n - above
    under = m - _wins(score[~positive], score[positive])  # (n,): sum_i psi
    auc = float(above.sum() / (m * n))
    if not above.any() or not below.any():
        exact = min(1.0, 2 / math.comb(m + n, m))
        return AucInterval(auc, None, None, exact, "all positive cases lie on one side of all others (exact p)")
    if m == 1 or n == 1:
        return AucInterval(auc, None, None, None, "one case on a side has no variance")
    variance = (above / n).var(ddof=1) / m + (under / m).var(ddof=1) / n
    error = math.sqrt(variance) / (auc * (1 - auc))
    logit, limit = math.log(auc / (1 - auc)), NormalDist().inv_cdf(0.975) * error
    p = math.erfc(abs(logit) / error / math.sqrt(2))  # 2 (1 - Phi(|z|))
    return AucInterval(auc, _expit(logit - limit), _expit(logit + limit), p)


def _wins(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """For each value, how many of the others are lower, equal ones counted one half."""
    ordered = np.sort(others)
    return (np.searchsorted(ordered, values, side="left") + np.searchsorted(ordered, values, side="right")) / 2


def _expit(x: float) -> float:
    """`1 / (1 + exp(-x))`, also where the exponential is beyond float64."""
    return math.exp(-np.logaddexp(0.0, -x))
