"""All that the folder of a predicted cohort holds for its report: record, summary, predictions, explanations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from utils.report.explained_fold import read_explained_fold
from utils.report.run_results import RunResults, read_each
from utils.runs.class_words import ClassWords
from utils.runs.cohort_predictions import read_cohort_predictions
from utils.runs.predictions import output_columns
from utils.runs.tasks import SURVIVAL, TASKS, Task
from utils.tables.validation import validate


@dataclass(frozen=True)
class Validation:
    """What the folder of a cohort holds.

    Attributes:
        record: `predict.json`.
        summary: see `utils.tables.validation.validate`.
        ensemble: predictions of the cases with outcomes.
        folds: {fold: its predictions of them}.
        explained: what was explained of the cohort, fold by fold, in the form that the sections of a run's report take.
    """

    record: Mapping[str, Any]
    summary: Mapping[str, Any]
    ensemble: pd.DataFrame
    folds: Mapping[int, pd.DataFrame]
    explained: RunResults

    @property
    def task(self) -> Task:
        """The task of the run."""
        return TASKS[self.record["task"]]

    @property
    def words(self) -> ClassWords | None:
        """The classes in words; None in survival."""
        n_outputs = len(output_columns(self.ensemble))
        return None if self.task == SURVIVAL else ClassWords.of(self.record["run"], n_outputs)


def read_validation(folder: Path, summary: Mapping[str, Any] | None, *, n_resamples: int) -> Validation:
    """Read the folder; `summary` is that of `validate`, where it is known, and `n_resamples` as in `RunResults`.

    Raises:
        UserError: see `utils.tables.validation.validate`.
    """
    record, ensemble, folds = read_cohort_predictions(folder)
    summary = validate(folder) if summary is None else summary
    return Validation(record, summary, ensemble, folds, _explained(folder, record, folds, n_resamples))


def _explained(
    folder: Path, record: Mapping[str, Any], folds: Mapping[int, pd.DataFrame], n_resamples: int
) -> RunResults:
    problems: list[str] = []
    explained = read_each(folder, "explain/cases.csv", read_explained_fold, problems)
    run = {**record["run"], "settings": {"unit": record["unit"], "ablate": record["run"].get("ablate")}}
    return RunResults(folder, run, None, {}, folds, {}, {}, {}, explained, tuple(problems), n_resamples)
