"""The metrics of a run with their bootstrap intervals: fold by fold, and averaged over folds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from utils.runs.predictions import output_columns, task_of
from utils.runs.tasks import SURVIVAL
from utils.statistics.metrics import missing_classes
from utils.statistics.resampled_metrics import resampled_metric, resampled_patients
from utils.statistics.survival_stats import UndefinedMetricError, bootstrap_concordance, concordance


@dataclass(frozen=True)
class Interval:
    """A metric and the 2.5 and 97.5 percentile over resamples; None where `reason` says why there is none."""

    value: float | None
    low: float | None
    high: float | None
    reason: str | None = None


@dataclass(frozen=True)
class MetricInterval:
    """One metric: `per_fold` {fold: interval} and `overall`, that of the mean over the folds that define it."""

    per_fold: dict[int, Interval]
    overall: Interval


def metric_intervals(
    tables: Mapping[int, pd.DataFrame], *, seed: int, n_resamples: int = 1000
) -> dict[str, MetricInterval]:
    """95 % percentile intervals of the metrics by which models are compared, from the prediction table of each fold.

    A resample draws the patients (`case_id`) of each fold with replacement, a patient with all of its slides. A fold's
    interval is over the resamples that define its metric; the overall one is over the means of those that define it in
    every fold that has it at all. The draws are the same for all metrics, with one exception: the C-index of a fold has
    the draws of `utils.statistics.survival_stats.bootstrap_concordance` and so, with the seed of the run, the interval
    of its summary. The trained models are held fixed: an interval says how much the test patients matter, not how much
    another training run would.

    Args:
        tables: {fold: predictions as of `utils.runs.predictions.read_predictions`}.
        seed: of the resamples.
        n_resamples: how many.

    Raises:
        ValueError: no fold, or a table of neither task.
    """
    if not tables:
        raise ValueError("tables: expected at least one fold, got none")
    task = task_of(next(iter(tables.values())))
    counts = {
        fold: resampled_patients(table, fold, seed=seed, n_resamples=n_resamples) for fold, table in tables.items()
    }
    intervals = {metric: _intervals(tables, metric, counts) for metric in task.compared}
    if task == SURVIVAL:
        per_fold = {fold: _concordance_interval(table, seed, n_resamples) for fold, table in tables.items()}
        intervals["c_index"] = MetricInterval(per_fold, intervals["c_index"].overall)
    return intervals


def _intervals(tables: Mapping[int, pd.DataFrame], metric: str, counts: Mapping[int, np.ndarray]) -> MetricInterval:
    per_fold: dict[int, Interval] = {}
    defined = []
    for fold, table in tables.items():
        values = resampled_metric(metric, table, counts[fold])  # (1 + n_resamples,)
        if np.isnan(values[0]):
            per_fold[fold] = Interval(None, None, None, _why_undefined(table))
        else:
            per_fold[fold] = _interval(values)
            defined.append(values)
    if not defined:
        reasons = dict.fromkeys(str(interval.reason) for interval in per_fold.values())
        return MetricInterval(per_fold, Interval(None, None, None, f"undefined in every fold ({'; '.join(reasons)})"))
    return MetricInterval(per_fold, _interval(np.mean(defined, axis=0)))


def _concordance_interval(table: pd.DataFrame, seed: int, n_resamples: int) -> Interval:
    event, time, risk = (table[name].to_numpy() for name in ("event", "time", "risk"))
    try:
        value = concordance(event, time, risk)
    except UndefinedMetricError as error:
        return Interval(None, None, None, str(error))
    try:
        drawn = bootstrap_concordance(event, time, risk, seed=seed, n_resamples=n_resamples)
    except UndefinedMetricError as error:
        return Interval(value, None, None, str(error))
    return Interval(value, drawn.low, drawn.high)


def _interval(values: np.ndarray) -> Interval:
    """The first value with the percentiles of the others."""
    used = values[1:][~np.isnan(values[1:])]
    if len(used) == 0:
        return Interval(float(values[0]), None, None, "undefined in every bootstrap resample")
    low, high = np.percentile(used, (2.5, 97.5))
    return Interval(float(values[0]), float(low), float(high))


def _why_undefined(table: pd.DataFrame) -> str:
    if "label" in table.columns:
        return str(missing_classes(table["label"].to_numpy(), len(output_columns(table))))
    return "no comparable pair" if table["event"].any() else "no events"
