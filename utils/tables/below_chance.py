"""Whether predictions rank cases the wrong way round: a C-index or AUC whose 95 % interval lies below chance."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from utils.runs.predictions import output_columns, task_of
from utils.runs.tasks import METRIC_WORDS, SURVIVAL, Task
from utils.statistics.metric_intervals import metric_intervals
from utils.statistics.metrics import classification_metrics, survival_metrics

CHANCE = 0.5  # of C-index and AUC: a model that knows nothing


def is_below_chance(low: float | None, high: float | None) -> bool:
    """Whether an interval lies below 0.5. Limits that are one point (few resamples differ) say nothing.

    >>> is_below_chance(0.1, 0.4), is_below_chance(0.1, 0.6), is_below_chance(0.0, 0.0), is_below_chance(None, None)
    (True, False, False, False)
    """
    return low is not None and high is not None and low < high < CHANCE


def below_chance(task: Task, *, of_mean: bool = False) -> str:
    """The warning of an interval below chance, of one fold or cohort or of the mean over folds."""
    check = "the censorship column (1 = censored)" if task == SURVIVAL else "the labels and the order of the classes"
    what, mean = "the risk" if task == SURVIVAL else "the score", "mean " * of_mean
    return (
        f"worse than chance: the 95 % interval of the {mean}{METRIC_WORDS[task.metric]} lies below {CHANCE}; {what} "
        f"may be turned around: check {check}, and whether the features belong to these cases"
    )


def fold_below_chance(table: pd.DataFrame, fold: int, *, seed: int) -> list[str]:
    """The warning of one fold, if it is worse than chance by the interval that the report shows for it."""
    task = task_of(table)
    if not _ranks_wrong(table):
        return []  # without the time of a bootstrap
    interval = metric_intervals({fold: table}, seed=seed)[task.metric].per_fold[fold]
    return [below_chance(task)] if is_below_chance(interval.low, interval.high) else []


def mean_below_chance(tables: Mapping[int, pd.DataFrame], task: Task, *, mean: float | None, seed: int) -> str:
    """The warning of a run, if its mean over folds is worse than chance; empty if not, and for one fold."""
    if len(tables) < 2 or mean is None or mean >= CHANCE:
        return ""
    overall = metric_intervals(tables, seed=seed)[task.metric].overall
    return below_chance(task, of_mean=True) if is_below_chance(overall.low, overall.high) else ""


def _ranks_wrong(table: pd.DataFrame) -> bool:
    """Whether the main metric is defined and below 0.5."""
    if task_of(table) == SURVIVAL:
        event, time, risk = (table[name].to_numpy() for name in ("event", "time", "risk"))
        value = survival_metrics(event, time, risk, seed=0, n_resamples=0)["c_index"]
    else:
        value = classification_metrics(table["label"].to_numpy(), table[output_columns(table)].to_numpy())["auc"]
    return value is not None and value < CHANCE
