"""Do class probabilities say what happens? Brier score with its reference, and the expected calibration error.

Of two classes everything is about class 1. Beyond two, the Brier score is the sum over classes, and the calibration
error the mean over classes, each against the rest.
"""

from __future__ import annotations

import numpy as np

from utils.statistics.calibration import (
    MAX_BINS,
    brier_score,
    expected_calibration_error,
    n_groups,
    quantile_groups,
    reliability,
)

N_DRAWS = 1000
_VALUES_AT_ONCE = 2_000_000


def class_shares(label: np.ndarray, n_classes: int) -> np.ndarray:
    """(C,) the share of each class among labels (n,).

    >>> class_shares(np.array([0, 1, 1, 1]), 2).tolist()
    [0.25, 0.75]
    """
    return np.bincount(label, minlength=n_classes) / len(label)


def brier(prob: np.ndarray, label: np.ndarray) -> float:
    """`1/n sum_i sum_c (prob_ic - 1[label_i = c])^2`; of two classes that of class 1 alone, half of this sum.

    Lower is better. Of two classes 0.25 is that of a constant 1/2; the sum over C classes is at most 2.

    Args:
        prob: (n, C) class probabilities.
        label: (n,) true class, 0..C-1.

    References:
        Brier: Verification of forecasts expressed in terms of probability. Monthly Weather Review 78(1), 1-3, 1950.
    """
    of_classes = [brier_score(np.clip(prob[:, c], 0, 1), label == c) for c in _classes(prob)]
    return float(sum(of_classes))


def brier_of_shares(shares: np.ndarray, label: np.ndarray) -> float:
    """The Brier score of a model that gives every case the same `shares` (C,): the reference of `brier`.

    The shares of the very cases that are scored are the best of all constants; those of training cases can be known
    beforehand.
    """
    return brier(np.broadcast_to(shares, (len(label), len(shares))), label)


def calibration_error(prob: np.ndarray, label: np.ndarray, patient: np.ndarray) -> float:
    """Expected calibration error `sum_b n_b / n |observed_b - predicted_b|` in up to ten quantile bins.

    There is one bin for each ten patients (`utils.statistics.calibration.n_groups`), as in the report's chart.

    Args:
        prob: (n, C) class probabilities.
        label: (n,) true class, 0..C-1.
        patient: (n,) whose slide it is.

    References:
        Naeini, Cooper, Hauskrecht: Obtaining well calibrated probabilities using Bayesian binning. AAAI 2015.
        Kull et al.: Beyond temperature scaling. NeurIPS 2019: the mean over classes ("classwise").
    """
    bins = n_groups(len(np.unique(patient)), MAX_BINS)
    in_bins = [reliability(np.clip(prob[:, c], 0, 1), label == c, bins) for c in _classes(prob)]
    return float(np.mean([expected_calibration_error(of_class) for of_class in in_bins]))


def calibration_error_if_calibrated(
    prob: np.ndarray, patient: np.ndarray, *, seed: int, n_draws: int = N_DRAWS
) -> float:
    """The mean of `calibration_error` over labels drawn from the predictions themselves.

    The error is a sum of absolute values, so it is above 0 for a perfect model too, and the more so the fewer cases
    there are. Here each case is of class c with probability prob_ic, as a perfectly calibrated model promises. Slides
    of a patient share one uniform draw u, `label_i = c` where u < prob_ic: each has its own probability, and they are
    as alike as these allow.

    Args:
        prob: (n, C) class probabilities.
        patient: (n,) whose slide it is.
        seed: of the draws.
        n_draws: how many.

    References:
        Vaicenavicius et al.: Evaluating model calibration in classification. AISTATS 2019 (consistency resampling).
    """
    patients, patient = np.unique(patient, return_inverse=True)
    bins = n_groups(len(patients), MAX_BINS)
    errors = []
    for c in _classes(prob):
        of_class = np.clip(prob[:, c], 0, 1)
        in_bin = (quantile_groups(of_class, bins)[:, None] == np.arange(bins)).astype(np.float64)  # (n, B)
        rng = np.random.default_rng([seed, c])
        total, block = 0.0, max(1, _VALUES_AT_ONCE // len(of_class))
        for start in range(0, n_draws, block):
            drawn = rng.random((min(block, n_draws - start), len(patients)))[:, patient] < of_class  # (draws, n)
            total += np.abs((drawn - of_class) @ in_bin).sum() / len(of_class)
        errors.append(total / n_draws)
    return float(np.mean(errors))


def _classes(prob: np.ndarray) -> list[int]:
    """The classes that a score is summed over: class 1 alone where there are two."""
    return [1] if prob.shape[1] == 2 else list(range(prob.shape[1]))
