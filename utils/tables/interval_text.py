"""What tables say about the 95 % intervals of metrics: how they are made, how far they hold, why there is none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from utils.files.phrases import numbered
from utils.runs.tasks import CLASSIFICATION, METRIC_WORDS, SURVIVAL
from utils.statistics.metric_intervals import MetricInterval

_JACKKNIFE = "on the logit scale with the jackknife variance of leaving out one patient, none where the value is 0 or 1"
_HELD_FIXED = (
    "The trained models are held fixed; the interval of a mean over folds allows for the training cases that their "
    "models share."
)
# Shares are those of `python -m benchmarks.coverage` and `python -m benchmarks.mean_coverage`.
INTERVAL_METHOD = {
    CLASSIFICATION.name: (
        "95 % intervals: of the accuracy Wilson's (slides of one patient count as alike); of the AUC of two classes on "
        "the logit scale with DeLong's variance (Obuchowski's where patients have several slides), and if all cases "
        "of one class lie above all others, from 0.025^(1/r) to 1 with r patients in the smaller class; of the macro "
        f"F1, and of the AUC of more classes, {_JACKKNIFE}. {_HELD_FIXED} In simulations of 15 to 300 cases of as many "
        "patients those of a fold held the true value in 94 to 99 % (AUC; above 97 % with fewer than 20 cases), 93 to "
        "100 % (accuracy) and 92 to 100 % (macro F1; only 79 % for 15 cases with 3 of one class), and that of the mean "
        "AUC over 4 cross-validated folds in 93 to 98 %."
    ),
    SURVIVAL.name: (
        f"95 % interval of the C-index: {_JACKKNIFE}. {_HELD_FIXED} In simulations of 15 to 300 cases that of a fold "
        "held the true value in 93 to 98 %, and that of the mean over 4 cross-validated folds of noise in 97 to 99 %."
    ),
}


def interval_words(low: float | None, high: float | None) -> str:
    """`0.626 to 0.943`; a dash where it is undefined.

    >>> interval_words(0.62, 0.94), interval_words(None, None)
    ('0.620 to 0.940', '–')
    """
    return "–" if low is None or high is None else f"{low:.3f} to {high:.3f}"


def intervals_in_words(what: str, intervals: Mapping[str, Mapping[str, Any]]) -> str:
    """Intervals {metric: with `low` and `high`} in a sentence; a dash where one is undefined.

    >>> intervals_in_words("95 % intervals", {"acc": {"low": 0.5, "high": 0.8}, "f1": {"low": None, "high": None}})
    '95 % intervals: ACC 0.500 to 0.800, macro F1 –.'
    """
    words = (f"{METRIC_WORDS[name]} {interval_words(one['low'], one['high'])}" for name, one in intervals.items())
    return f"{what}: {', '.join(words)}."


def without_interval(intervals: Mapping[str, MetricInterval], *, with_folds: bool = True) -> Iterator[str]:
    """Why a value has no interval: `no interval of the C-index: a value of 1 has no variance ... (folds 0 and 2)`.

    `with_folds`: of the folds too, not only of the mean.
    """
    for metric, interval in intervals.items():
        reasons: dict[str, list[int]] = {}
        for fold, one in interval.per_fold.items():
            if with_folds and one.value is not None and one.reason is not None:
                reasons.setdefault(one.reason, []).append(fold)
        for reason, folds in reasons.items():
            yield f"no interval of the {METRIC_WORDS[metric]}: {reason} ({numbered('fold', folds)})"
        if interval.overall.value is not None and interval.overall.reason is not None:
            yield f"no interval of the mean {METRIC_WORDS[metric]}: {interval.overall.reason}"
