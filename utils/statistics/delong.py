"""The AUC of a score, with DeLong's variance, or Obuchowski's where patients have several cases."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from utils.statistics.interval import NO_VARIANCE, Estimate, logit_limits
from utils.statistics.survival_stats import UndefinedMetricError


@dataclass(frozen=True)
class AucInterval:
    """`auc` with 95 % limits and the two-sided p value of "AUC = 0.5"; those that are None are so for the `reason`."""

    auc: float
    low: float | None
    high: float | None
    p: float | None
    reason: str | None = None


def auc_interval(positive: np.ndarray, score: np.ndarray, patient: np.ndarray | None = None) -> AucInterval:
    """The AUC of a score for m positive cases against n others, `A = mean_ij psi(x_i, y_j)`, and how sure it is.

    psi is 1 where the score x_i of the positive case is higher than y_j of the other, 1/2 where they are equal, else 0.
    DeLong's variance is `V = var_i(mean_j psi) / m + var_j(mean_i psi) / n` (with m - 1 and n - 1 below). Cases of one
    patient are alike, and count as independent there. So where a patient has several, V is Obuchowski's, from sums over
    patients: with `u_i = mean_j psi - A` of the positive cases and `v_j = mean_i psi - A` of the others, U_p and V_p
    their sums over patient p, P patients in all, P_1 with a positive case and P_0 with another one,
    `V = P_1 / (P_1 - 1) sum_p U_p^2 / m^2 + P_0 / (P_0 - 1) sum_p V_p^2 / n^2 + 2 P / (P - 1) sum_p U_p V_p / (m n)`.

    The interval is Wald's on the logit scale, `logit A -+ 1.96 sqrt(V) / (A (1 - A))`, mapped back: it stays within 0
    and 1, which the plain one does not for strong scores or few cases. p is of the same scale: it is below 0.05 exactly
    if the interval leaves out 0.5. Where a side has cases of one patient only, V has no estimate: limits and p are
    undefined. Where all positive cases lie above (or below) all others, the estimate is 0, which speaks of no
    certainty: limits are undefined, and p is that of a permutation test, which is exact: one of the
    `(m + n)! / (m! n!)` ways to call m cases positive is as extreme, and one at the other end, so
    `p = min(1, 2 m! n! / (m + n)!)`. Where patients have several cases, they are called positive with all of them, so m
    and n count patients there; p is undefined if a patient has cases of both kinds.

    Args:
        positive: (m + n,) bool.
        score: (m + n,) finite; the AUC is above 0.5 where positive cases have more of it.
        patient: (m + n,) whose case it is; by default each has its own.

    Raises:
        UndefinedMetricError: no positive case, no other case, or a constant score.
        ValueError: another shape or type, or a score that is not finite.

    References:
        DeLong, DeLong, Clarke-Pearson: Comparing the areas under two or more correlated receiver operating
        characteristic curves. Biometrics 44(3), 837-845, 1988.
        Obuchowski: Nonparametric analysis of clustered ROC curve data. Biometrics 53(2), 567-578, 1997.

    >>> auc_interval(np.array([True, True, False, False]), np.array([4, 2, 1, 3])).auc
    0.75
    """
    found = auc_estimate(positive, score, patient)
    auc, variance = found.value, found.variance
    if auc in (0.0, 1.0):
        return _separated(found)
    if variance is None:
        return AucInterval(auc, None, None, None, found.reason)
    z = math.log(auc / (1 - auc)) * auc * (1 - auc) / math.sqrt(variance)
    return AucInterval(auc, *logit_limits(auc, variance), math.erfc(abs(z) / math.sqrt(2)))  # 2 (1 - Phi(|z|))


@dataclass(frozen=True)
class AucEstimate(Estimate):
    """An AUC with its variance; `sides`: the patients with a positive case, and those with another one."""

    sides: tuple[int, int] = (0, 0)


def auc_estimate(positive: np.ndarray, score: np.ndarray, patient: np.ndarray | None = None) -> AucEstimate:
    """The AUC with the variance of `auc_interval`, which has the arguments and errors; 0 where classes are separated.

    `disjoint_pairs` is `min(m, n)` of the patients of either side; None if a patient has cases of both.
    """
    positive, score = np.asarray(positive), np.asarray(score, dtype=np.float64)
    if positive.ndim != 1 or positive.dtype != np.bool_:
        raise ValueError(f"positive: expected booleans of shape (n,), got {positive.dtype} of shape {positive.shape}")
    if score.shape != positive.shape or not np.isfinite(score).all():
        raise ValueError(f"score: expected finite numbers of shape {positive.shape}, got shape {score.shape}")
    if patient is not None and np.shape(patient) != positive.shape:
        raise ValueError(f"patient: expected shape {positive.shape}, got {np.shape(patient)}")
    group = np.arange(len(positive)) if patient is None else np.unique(patient, return_inverse=True)[1]
    m, n = int(positive.sum()), int((~positive).sum())
    if m == 0 or n == 0:
        raise UndefinedMetricError("no positive case" if m == 0 else "no case beside the positive ones")
    if np.ptp(score) == 0:
        raise UndefinedMetricError("constant score")
    above = wins(score[positive], score[~positive])  # (m,): sum_j psi, in halves, so sums are exact
    below = n - above
    under = m - wins(score[~positive], score[positive])  # (n,): sum_i psi
    auc = float(above.sum() / (m * n))
    sides = np.unique(group[positive]), np.unique(group[~positive])
    fewest = min(map(len, sides))
    pairs, counts = None if np.isin(*sides).any() else fewest, (len(sides[0]), len(sides[1]))
    if not above.any() or not below.any():
        return AucEstimate(auc, 0.0, disjoint_pairs=pairs, sides=counts)
    if fewest == 1:
        one = "case" if m == 1 or n == 1 else "patient"
        return AucEstimate(auc, None, f"one {one} on a side has no variance", disjoint_pairs=pairs, sides=counts)
    if len(np.unique(group)) == len(group):
        variance = (above / n).var(ddof=1) / m + (under / m).var(ddof=1) / n
    else:
        variance = _clustered_variance(above / n - auc, under / m - auc, group[positive], group[~positive])
        if variance < NO_VARIANCE:
            reason = "the patients differ too little for a variance"
            return AucEstimate(auc, None, reason, disjoint_pairs=pairs, sides=counts)
    return AucEstimate(auc, float(variance), disjoint_pairs=pairs, sides=counts)


def _separated(found: AucEstimate) -> AucInterval:
    """The result where all positive cases lie on one side: the exact p over the patients of either kind of case."""
    where = "all positive cases lie on one side of all others"
    if found.disjoint_pairs is None:
        return AucInterval(found.value, None, None, None, f"{where}, and a patient has cases of both")
    exact = min(1.0, 2 / math.comb(sum(found.sides), found.sides[0]))
    return AucInterval(found.value, None, None, exact, f"{where} (exact p)")


def _clustered_variance(u: np.ndarray, v: np.ndarray, positive: np.ndarray, others: np.ndarray) -> float:
    """Obuchowski's variance, from u (m,) and v (n,) and the patients 0 .. P - 1 of positive and of other cases."""
    n_patients = int(max(positive.max(), others.max())) + 1
    sums = [np.bincount(patient, part, n_patients) for part, patient in ((u, positive), (v, others))]
    present = [len(np.unique(patient)) for patient in (positive, others)]
    of_sides = [
        count / (count - 1) * float(total @ total) / len(part) ** 2
        for count, total, part in zip(present, sums, (u, v), strict=True)
    ]
    shared = 2 * n_patients / (n_patients - 1) * float(sums[0] @ sums[1]) / (len(u) * len(v))
    return sum(of_sides) + shared


def wins(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """For each value, how many of the others are lower, equal ones counted one half.

    >>> wins(np.array([2.0, 0.0]), np.array([1.0, 2.0, 3.0])).tolist()
    [1.5, 0.0]
    """
    ordered = np.sort(others)
    return (np.searchsorted(ordered, values, side="left") + np.searchsorted(ordered, values, side="right")) / 2
