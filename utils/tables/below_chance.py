"""Whether predictions rank cases the wrong way round: a C-index or AUC whose 95 % interval lies below chance."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from utils.runs.predictions import task_of
from utils.runs.tasks import METRIC_WORDS, SURVIVAL, Task
from utils.statistics.metric_intervals import MetricInterval, metric_intervals

CHANCE = 0.5  # of C-index and AUC: a model that knows nothing


def is_below_chance(low: float | None, high: float | None) -> bool:
    """Whether an interval lies below 0.5.

    >>> is_below_chance(0.1, 0.4), is_below_chance(0.1, 0.6), is_below_chance(None, None)
    (True, False, False)
    """
    return low is not None and high is not None and high < CHANCE


def below_chance(task: Task, *, of_mean: bool = False) -> str:
    """The warning of an interval below chance, of one fold or cohort or of the mean over folds."""
    check = "the censorship column (1 = censored)" if task == SURVIVAL else "the labels and the order of the classes"
    what, mean = "the risk" if task == SURVIVAL else "the score", "mean " * of_mean
    return (
        f"worse than chance: the 95 % interval of the {mean}{METRIC_WORDS[task.metric]} lies below {CHANCE}; {what} "
        f"may be turned around: check {check}, and whether the features belong to these cases"
    )


def fold_below_chance(table: pd.DataFrame) -> list[str]:
    """The warning of one fold, if it is worse than chance by the interval that the report shows for it."""
    task = task_of(table)
    interval = metric_intervals({0: table})[task.metric].per_fold[0]
    return [below_chance(task)] if is_below_chance(interval.low, interval.high) else []


def mean_below_chance(intervals: Mapping[str, MetricInterval], task: Task) -> str:
    """The warning of a run, if its mean over folds is worse than chance; empty if not, and for one fold."""
    measured = intervals[task.metric]
    is_mean = len(measured.per_fold) > 1 and is_below_chance(measured.overall.low, measured.overall.high)
    return below_chance(task, of_mean=True) if is_mean else ""
