"""The metrics of a run with their 95 % intervals: fold by fold, and averaged over folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from utils.files.phrases import counted
from utils.runs.predictions import output_columns, task_of
from utils.statistics.delong import auc_estimate
from utils.statistics.interval import Estimate, Interval, logit_interval
from utils.statistics.jackknife import metric_jackknife
from utils.statistics.metrics import missing_classes
from utils.statistics.share_interval import independent_cases, share_interval
from utils.statistics.survival_stats import UndefinedMetricError

NO_CASE = "no case"


@dataclass(frozen=True)
class MetricInterval:
    """One metric: `per_fold` {fold: interval} and `overall`, that of the mean over the folds that define it."""

    per_fold: dict[int, Interval]
    overall: Interval

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> MetricInterval:
        """From what `as_json` gives."""
        per_fold = {row["fold"]: Interval(**{k: v for k, v in row.items() if k != "fold"}) for row in content["folds"]}
        return cls(per_fold, Interval(**content["mean"]))

    def as_json(self) -> dict[str, Any]:
        """`folds`, a list of `fold, value, low, high, reason`, and `mean` with the same but for the fold."""
        folds = [{"fold": fold} | asdict(interval) for fold, interval in self.per_fold.items()]
        return {"folds": folds, "mean": asdict(self.overall)}


def metric_intervals(tables: Mapping[int, pd.DataFrame]) -> dict[str, MetricInterval]:
    """95 % intervals of the metrics by which models are compared, from the prediction table of each fold.

    | metric | limits |
    |---|---|
    | `acc` | Wilson's, of as many cases as slides of patients are worth (`share_interval`, `independent_cases`) |
    | `auc` of two classes | logit scale, variance of DeLong or Obuchowski; exact where classes are separated |
    | `auc` of more classes, `f1`, `c_index` | logit scale, jackknife variance over patients |

    The last two are `utils.statistics.interval.logit_interval`, for a fold and for the mean over folds. The trained
    models are held fixed: an interval says how much the test patients matter, not how much another training run would.
    `benchmarks/coverage.py` and `benchmarks/mean_coverage.py` measure how often they hold the true value. There is no
    interval of the mean where patients are in the test part of several folds, as in repeated random splits.

    Args:
        tables: {fold: predictions as of `utils.runs.predictions.read_predictions`}.

    Raises:
        ValueError: no fold, or a table of neither task.
    """
    if not tables:
        raise ValueError("tables: expected at least one fold, got none")
    task = task_of(next(iter(tables.values())))
    found = {metric: _accuracy(tables) if metric == "acc" else _of_folds(tables, metric) for metric in task.compared}
    repeated = repeated_patients(list(tables.values()))
    if repeated is None:
        return found
    return {
        metric: replace(one, overall=Interval(one.overall.value, None, None, one.overall.reason or repeated))
        for metric, one in found.items()
    }


def repeated_patients(tables: Sequence[pd.DataFrame], noun: str = "patient") -> str | None:
    """That patients are in the test part of several folds, in words; None if each is in one.

    Statistics over folds take their cases for independent, and do not hold for copies of a case.
    """
    patients = pd.concat([table["case_id"].drop_duplicates() for table in tables])
    n_repeated = patients[patients.duplicated()].nunique()
    return f"{counted(n_repeated, noun)} in the test part of more than one fold" if n_repeated else None


def metric_estimate(table: pd.DataFrame, metric: str) -> Estimate | None:
    """A metric of one fold with its variance over patients; None where the fold does not define it."""
    if not len(table):
        return None
    if metric == "auc" and len(output_columns(table)) == 2:
        positive = (table["label"] == 1).to_numpy()
        if positive.all() or not positive.any():
            return None
        return class_auc(positive, table["prob_1"].to_numpy(), table["case_id"].to_numpy())
    return metric_jackknife(metric, [table])


def mean_estimate(tables: Sequence[pd.DataFrame], metric: str) -> Estimate | None:
    """The mean of a metric over models of the same test cases, with the jackknife variance; None as above.

    The mean is 1 only if that of each is, so where classes are separated the pairs of one of them hold for it.
    """
    estimate, first = metric_jackknife(metric, tables), metric_estimate(tables[0], metric)
    if estimate is None or first is None:
        return None
    return replace(estimate, disjoint_pairs=first.disjoint_pairs)


def class_auc(positive: np.ndarray, score: np.ndarray, patient: np.ndarray) -> Estimate:
    """The AUC of the cases of a class against all others, which are there (see `utils.statistics.delong`)."""
    try:
        return auc_estimate(positive, score, patient)
    except UndefinedMetricError as error:
        return Estimate(0.5, None, str(error))


def _of_folds(tables: Mapping[int, pd.DataFrame], metric: str) -> MetricInterval:
    found = {fold: metric_estimate(table, metric) for fold, table in tables.items()}
    known = {fold: estimate for fold, estimate in found.items() if estimate is not None}
    per_fold = {
        fold: logit_interval([known[fold]]) if fold in known else Interval(None, None, None, why_undefined(table))
        for fold, table in tables.items()
    }
    if not known:
        reasons = dict.fromkeys(str(interval.reason) for interval in per_fold.values())
        return MetricInterval(per_fold, Interval(None, None, None, f"undefined in every fold ({'; '.join(reasons)})"))
    return MetricInterval(per_fold, logit_interval(list(known.values())))


def _accuracy(tables: Mapping[int, pd.DataFrame]) -> MetricInterval:
    known = {fold: table for fold, table in tables.items() if len(table)}
    shares = {fold: _share_right(table) for fold, table in known.items()}
    sizes = {fold: independent_cases(table["case_id"].to_numpy()) for fold, table in known.items()}
    per_fold = {
        fold: share_interval([shares[fold]], [sizes[fold]]) if fold in known else Interval(None, None, None, NO_CASE)
        for fold in tables
    }
    if not known:
        return MetricInterval(per_fold, Interval(None, None, None, NO_CASE))
    return MetricInterval(per_fold, share_interval(list(shares.values()), list(sizes.values())))


def _share_right(table: pd.DataFrame) -> float:
    """The accuracy: the predicted class is the first one of the highest probability."""
    return float((table[output_columns(table)].to_numpy().argmax(axis=1) == table["label"].to_numpy()).mean())


def why_undefined(table: pd.DataFrame) -> str:
    """Why a fold has no AUC or C-index: `only class 1 among the labels`, `no events`."""
    if not len(table):
        return NO_CASE
    if "label" in table.columns:
        return str(missing_classes(table["label"].to_numpy(), len(output_columns(table))))
    return "no comparable pair" if table["event"].any() else "no events"
