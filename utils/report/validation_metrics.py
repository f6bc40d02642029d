"""The main metric of the validation cases of a run, to stand beside that of its test cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from utils.report.run_results import RunResults
from utils.runs.tasks import METRIC_WORDS
from utils.tables.averages import cases_of_means, over_folds
from utils.tables.summary import fold_metrics

VALIDATION_NOTE = (
    "Validation: the same metric of the fold's validation cases, which chose the epoch, so that it is optimistic. "
    "Choose options by it, never by the test cases."
)


def validation_word(metric: str) -> str:
    """The name of the column: `validation AUC`."""
    return f"validation {METRIC_WORDS[metric]}"


def validation_metric(results: RunResults, fold: int) -> float | None:
    """The main metric of the validation cases of a fold; None where it is undefined or the fold has none."""
    if fold not in results.validation:
        return None
    value: float | None = fold_metrics(results.validation[fold], with_interval=False)[results.metric]
    return value


def validation_averages(runs: Sequence[RunResults]) -> Mapping[str, Any]:
    """Over folds, of the mean over runs: see `utils.tables.averages`; with `folds`, whose `n_test` is of validation."""
    metric = runs[0].metric
    of_fold: dict[int, list[float]] = {}
    n_cases: dict[int, int] = {}
    for run in runs:
        for fold, table in run.validation.items():
            value = validation_metric(run, fold)
            of_fold.setdefault(fold, []).extend([] if value is None else [value])
            n_cases[fold] = len(table)
    folds = [
        {metric: float(np.mean(values)) if values else None, "n_test": n_cases[fold]}
        for fold, values in of_fold.items()
    ]
    averages = {**over_folds(folds, [metric]), **cases_of_means(folds, [metric])}
    return {**averages, "folds": folds, "unit": f"validation {runs[0].unit}"}
