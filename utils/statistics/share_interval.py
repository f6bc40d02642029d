"""Wilson's interval of a share, where cases share patients or the shares of folds are averaged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from utils.statistics.calibration import wilson_limits
from utils.statistics.interval import Interval, shared_training


def share_interval(shares: Sequence[float], sizes: Sequence[float]) -> Interval:
    """The mean of the shares of K folds, with Wilson's limits for `K^2 / sum_k 1 / n_k / (2 - 1/K)` cases.

    A share p of fold k with n_k cases has the variance `p (1 - p) / n_k`, so that of the mean of independent folds is
    the one of `K^2 / sum_k 1 / n_k` cases: their sum where folds are of equal size. The divisor is that of folds whose
    models share training cases (`utils.statistics.interval.shared_training`).

    Args:
        shares: of each fold; one at least.
        sizes: n_k, independent cases (`independent_cases`).

    >>> interval = share_interval([1.0], [15])
    >>> round(interval.low, 3), interval.high
    (0.796, 1.0)
    """
    value = float(np.mean(shares))
    size = len(sizes) ** 2 / sum(1 / n for n in sizes) / shared_training(len(sizes))
    low, high = wilson_limits(np.array(value), np.array(size))
    return Interval(value, float(low), float(high))


def independent_cases(patient: np.ndarray) -> float:
    """`n^2 / sum_p n_p^2` for n cases of patients p with n_p each, taking those of a patient for alike (Kish).

    References:
        Kish: Survey sampling. Wiley, 1965, section 5.4: the design effect where all of a cluster are alike.

    >>> independent_cases(np.array(["a", "a", "b", "b"]))
    2.0
    """
    of_patient = np.unique(patient, return_counts=True)[1]
    return float(of_patient.sum() ** 2 / (of_patient**2).sum())
