"""Two classes at a threshold that the validation cases choose: sensitivity, specificity and predictive values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from utils.statistics.interval import Interval
from utils.statistics.metrics import missing_classes
from utils.statistics.share_interval import independent_cases, wilson_limits
from utils.statistics.survival_stats import UndefinedMetricError


def youden_threshold(label: np.ndarray, prob: np.ndarray) -> float:
    """The threshold t of the highest Youden's J = sensitivity + specificity - 1, where `prob >= t` means class 1.

    Thresholds lie midway between neighbouring distinct predictions, so that none decides at its very value. Of several
    with the same J it is the one closest to 1/2, and of two equally close the lower.

    Args:
        label: (n,) 0 or 1, of validation cases.
        prob: (n,) predicted probability of class 1.

    Raises:
        UndefinedMetricError: one class only, or no threshold with J above 0: all predictions are equal, or they rank
            no better than chance.

    References:
        Youden: Index for rating diagnostic tests. Cancer 3(1), 32-35, 1950.

    >>> youden_threshold(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.6, 0.8]))
    0.4
    """
    label, prob = np.asarray(label), np.asarray(prob, dtype=np.float64)
    reason = missing_classes(label, 2)
    if reason is not None:
        raise UndefinedMetricError(f"validation cases: {reason}")
    values = np.unique(prob)
    between = (values[:-1] + values[1:]) / 2  # (k - 1,)
    positives, negatives = int((label == 1).sum()), int((label == 0).sum())
    true, false = (_n_at_or_above(prob[label == of], between) for of in (1, 0))
    j = true * negatives - false * positives  # times positives * negatives: integers, so that ties are ties
    if not len(j) or j.max() <= 0:
        raise UndefinedMetricError("no threshold tells the validation cases apart better than chance")
    best = between[j == j.max()]
    return float(best[np.argmin(np.abs(best - 0.5))])


def at_threshold(label: np.ndarray, prob: np.ndarray, threshold: float, patient: np.ndarray) -> dict[str, Interval]:
    """`sensitivity`, `specificity`, `ppv` and `npv` where `prob >= threshold` is called class 1.

    Limits are Wilson's, of as many cases as slides of patients are worth (`independent_cases`). Predictive values hold
    for the prevalence of these very cases.

    Args:
        label: (n,) 0 or 1.
        prob: (n,) predicted probability of class 1.
        threshold: chosen on other cases.
        patient: (n,) whose slide it is.
    """
    is_one, called = np.asarray(label) == 1, np.asarray(prob, dtype=np.float64) >= threshold
    return {
        "sensitivity": _share(called, is_one, patient, "no case of class 1 among the labels"),
        "specificity": _share(~called, ~is_one, patient, "no case of class 0 among the labels"),
        "ppv": _share(is_one, called, patient, "no case is at or above the threshold"),
        "npv": _share(~is_one, ~called, patient, "no case is below the threshold"),
    }


def _n_at_or_above(values: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    return len(values) - np.searchsorted(np.sort(values), thresholds, side="left")


def ensemble_threshold(thresholds: Mapping[int, float]) -> float:
    """The threshold of the ensemble of folds, whose probability is the mean of theirs: the mean of {fold: threshold}.

    Folds whose validation cases define none are left out.
    """
    return float(np.mean(list(thresholds.values())))


def _share(hit: np.ndarray, of: np.ndarray, patient: np.ndarray, nobody: str) -> Interval:
    """The share of `hit` among the cases `of`."""
    if not of.any():
        return Interval(None, None, None, nobody)
    share = hit[of].mean()
    low, high = wilson_limits(share, np.array(independent_cases(patient[of])))
    return Interval(float(share), float(low), float(high))
