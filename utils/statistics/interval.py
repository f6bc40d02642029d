"""A statistic with its 95 % limits, or with the reason why it has none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

TAIL = 0.025  # of an interval of 95 %, on either side
Z = 1.959963984540054  # the quantile of the normal distribution with this above it
NO_VARIANCE = 1e-20  # less is the rounding of sums that are 0; covariances may also make it negative


@dataclass(frozen=True)
class Interval:
    """A statistic and its 95 % limits; those that are None are so for the `reason`."""

    value: float | None
    low: float | None
    high: float | None
    reason: str | None = None


@dataclass(frozen=True)
class Estimate:
    """A statistic between 0 and 1 of the test cases of one fold.

    Attributes:
        value: the statistic.
        variance: of the value over samples of patients; None where `reason` says why there is no estimate.
        reason: see there.
        disjoint_pairs: of an AUC of two classes, how many pairs of a patient of either class share no patient,
            `min(m, n)`; None for other statistics, and where a patient has cases of both classes.
    """

    value: float
    variance: float | None
    reason: str | None = None
    disjoint_pairs: int | None = None


def logit_limits(value: float, variance: float) -> tuple[float, float]:
    """Wald's limits on the logit scale, `logit A -+ 1.96 sqrt(V) / (A (1 - A))`, mapped back; 0 < A < 1 and V > 0.

    They stay within 0 and 1, which those of the plain scale do not for high values or few cases.

    >>> [round(limit, 3) for limit in logit_limits(0.9, 0.0025)]
    [0.752, 0.964]
    """
    logit, half = math.log(value / (1 - value)), Z * math.sqrt(variance) / (value * (1 - value))
    return _expit(logit - half), _expit(logit + half)


def shared_training(n_folds: int) -> float:
    """`2 - 1/K`: how much larger the variance of a mean over K cross-validated folds is than over independent ones.

    The model of a fold was trained on the test cases of the others, so their metrics are correlated. With the share of
    the test cases among all, 1/K, for the correlation (Nadeau and Bengio), the variance of the mean is
    `1 + (K - 1) / K` times that of K independent folds. `benchmarks/mean_coverage.py` measures what it does.

    References:
        Nadeau, Bengio: Inference for the generalization error. Machine Learning 52(3), 239-281, 2003.

    >>> shared_training(1), shared_training(4)
    (1.0, 1.75)
    """
    return 2 - 1 / n_folds


def logit_interval(folds: Sequence[Estimate]) -> Interval:
    """The mean over K folds, or one: `A = sum_k A_k / K`, with `V = (2 - 1/K) sum_k V_k / K^2` (`logit_limits`).

    The factor is `shared_training`: the folds are not independent of each other.

    Where the AUC of every fold is 1, V = 0 speaks of no certainty. There are r_k pairs of a positive and another
    patient in fold k that share no patient, and all are in order with probability `A_k^{r_k}`. In one fold the lower
    limit is therefore `0.025^{1/r}`, the upper one 1: exact in that it covers at least 95 %, whatever the distribution
    of the scores. The tail is that of a two-sided interval, as for Clopper and Pearson's of n of n, so that limits do
    not jump when one pair is out of order. In K independent folds, with r the fewest pairs of any, all are in order
    with probability `A^{K r}` at most (the geometric mean is at most the arithmetic one); as folds are not, the pairs
    count as `K r / (2 - 1/K)`. For an AUC of 0 it is the mirror image.

    Any other statistic that is 0 or 1 in every fold, or that no patient changes, has no limits.

    Args:
        folds: one at least.
    """
    n_folds = len(folds)
    value = float(np.mean([fold.value for fold in folds]))
    pairs = [fold.disjoint_pairs for fold in folds]
    if value in (0.0, 1.0) and all(pairs):
        limit = TAIL ** (shared_training(n_folds) / (n_folds * min(count for count in pairs if count)))
        return Interval(value, limit, 1.0) if value == 1 else Interval(value, 0.0, 1 - limit)
    reasons = dict.fromkeys(str(fold.reason) for fold in folds if fold.variance is None)
    if reasons:
        return Interval(value, None, None, "; ".join(reasons))
    variance = shared_training(n_folds) * sum(fold.variance or 0.0 for fold in folds) / n_folds**2
    if value in (0.0, 1.0):
        return Interval(value, None, None, f"a value of {value:g} has no variance to tell limits from")
    if variance < NO_VARIANCE:
        return Interval(value, None, None, "the value is the same without any one patient: no variance")
    return Interval(value, *logit_limits(value, variance))


def _expit(x: float) -> float:
    """`1 / (1 + exp(-x))`, also where the exponential is beyond float64."""
    return math.exp(-np.logaddexp(0.0, -x))
