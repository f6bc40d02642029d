"""Wilson's interval of a share, where cases share patients or the shares of folds are averaged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from utils.statistics.interval import Interval, Z, shared_training


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


def wilson_limits(share: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % limits of a share p of n: `(p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)`.

    References:
        Wilson: Probable inference, the law of succession, and statistical inference. Journal of the American
        Statistical Association 22(158), 209-212, 1927.
    """
    share, n = np.asarray(share), np.asarray(n, dtype=np.float64)
    centre = share + Z**2 / (2 * n)
    half = Z * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    low, high = (centre - half) / (1 + Z**2 / n), (centre + half) / (1 + Z**2 / n)
    return np.clip(low, 0, 1), np.clip(high, 0, 1)
