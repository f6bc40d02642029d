"""All that the folder of a run holds for its report: record, predictions, metrics, logs, outcomes, explanations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from utils.clinical.clinical_file import is_stale, read_clinical
from utils.errors import UserError
from utils.report.charts.chart import Chart
from utils.report.explained_fold import ExplainedFold, read_explained_fold
from utils.runs.class_words import ClassWords
from utils.runs.epoch_log import read_log
from utils.runs.predictions import output_columns, read_predictions
from utils.runs.run_dir import fold_files
from utils.runs.run_record import model_in_words, read_run, unit_of
from utils.runs.tasks import SURVIVAL, TASKS, Task
from utils.runs.training_outcomes import read_training_outcomes
from utils.statistics.metric_intervals import MetricInterval
from utils.tables.summary import summarise

_Read = TypeVar("_Read")


@dataclass(frozen=True)
class RunResults:
    """What a run left behind. Sections of the report read these fields, and no other file.

    Attributes:
        run_dir: its folder, which files are named from.
        run: `run.json` as `utils.runs.run_record.read_run` gives it.
        summary: of `utils.tables.summarise`; None where no test fold is predicted yet.
        intervals: {metric: values with 95 % intervals}; empty without predictions.
        tables, validation: {fold: predictions} of the test and the validation cases.
        outcomes: {fold: outcomes of the training cases}, survival only.
        logs: {fold: log}, without folds that ended before their first epoch.
        explained: {fold: what `main.py --stage explain` wrote}.
        problems: sentences about optional files that are damaged; they are left out.
        n_resamples: of the bootstrap of the ROC bands.
        clinical: `clinical/clinical.json`, where the clinical question was put to these predictions.
        charts: {name: charts that were drawn}, for the report of the run and the one over all runs.
    """

    run_dir: Path
    run: Mapping[str, Any]
    summary: Mapping[str, Any] | None
    intervals: Mapping[str, MetricInterval]
    tables: Mapping[int, pd.DataFrame]
    validation: Mapping[int, pd.DataFrame]
    outcomes: Mapping[int, pd.DataFrame]
    logs: Mapping[int, pd.DataFrame]
    explained: Mapping[int, ExplainedFold]
    problems: tuple[str, ...]
    n_resamples: int
    clinical: Mapping[str, Any] | None = None
    charts: dict[str, tuple[Chart, ...]] = field(default_factory=dict, init=False, compare=False, repr=False)

    @property
    def task(self) -> Task:
        """The task of the run."""
        return TASKS[self.run["task"]]

    @property
    def model(self) -> str:
        """The model in words."""
        return model_in_words(self.run["model"], self.run["formulation"], self.run["settings"].get("ablate") or ())

    @property
    def name(self) -> str:
        """The name of the run, that of its folder where none is recorded."""
        return str(self.run.get("run_name") or self.run_dir.name)

    @property
    def unit(self) -> str:
        """What one prediction is about: `slide`, `patient` or `case`."""
        return unit_of(self.run)

    @property
    def classes(self) -> ClassWords:
        """The names of the classes of a classification run; of none where nothing is predicted yet."""
        table = next(iter((*self.tables.values(), *self.validation.values())), None)
        return ClassWords.of(self.run, 0 if table is None else len(output_columns(table)))

    @property
    def metric(self) -> str:
        """The metric that the run is judged by: `auc` or `c_index`."""
        return self.task.metric


def read_results(run_dir: Path, summary: Mapping[str, Any] | None = None, *, n_resamples: int) -> RunResults:
    """Read the folder of a run and compute its metrics, unless its `summary` is known.

    Predictions must be whole, as every number of the report comes from them; an optional file that is damaged becomes
    a sentence in `problems`.

    Raises:
        UserError: run.json is missing or damaged, or a prediction file of the test cases is damaged or of another task
            (see `utils.tables.summarise`).
    """
    run = read_run(run_dir)
    problems: list[str] = []
    tables = {fold: read_predictions(path) for fold, path in fold_files(run_dir, "predictions_test.csv").items()}
    if summary is None and tables:
        summary = summarise(run_dir)
    logs = read_each(run_dir, "log.csv", read_log, problems)
    outcomes = read_each(run_dir, "outcomes_train.csv", read_training_outcomes, problems)
    clinical = _read_clinical(run_dir, problems)
    return RunResults(
        run_dir=run_dir,
        run=run,
        summary=summary,
        intervals={} if summary is None else _intervals(summary),
        tables=tables,
        validation=read_each(run_dir, "predictions_val.csv", read_predictions, problems),
        outcomes=outcomes if run["task"] == SURVIVAL.name else {},
        logs={fold: log for fold, log in logs.items() if len(log)},
        explained=read_each(run_dir, "explain/cases.csv", read_explained_fold, problems),
        problems=tuple(problems),
        n_resamples=n_resamples,
        clinical=clinical,
    )


def _read_clinical(run_dir: Path, problems: list[str]) -> dict[str, Any] | None:
    """The answer to the clinical question; one that is damaged, or of other predictions, is said in `problems`."""
    try:
        result = read_clinical(run_dir)
    except UserError as error:
        problems.append(f"Left out: {relative_to(run_dir, error)}")
        return None
    if result is not None and is_stale(run_dir, result):
        problems.append(
            "Left out: clinical/clinical.json is of other test predictions than those of this run now; write it again "
            "with python -m utils.report RUN_DIR --clinical TABLE."
        )
        return None
    return result


def _intervals(summary: Mapping[str, Any]) -> dict[str, MetricInterval]:
    return {metric: MetricInterval.of_json(content) for metric, content in summary["intervals"].items()}


def read_each(run_dir: Path, name: str, read: Callable[[Path], _Read], problems: list[str]) -> dict[int, _Read]:
    """{fold: run_dir/fold{k}/name}, as `read` reads it; a damaged one is left out and said in `problems`."""
    found: dict[int, _Read] = {}
    for fold, path in optional_files(run_dir, name).items():
        try:
            found[fold] = read(path)
        except UserError as error:
            problems.append(f"Left out: {relative_to(run_dir, error)}")
    return found


def relative_to(folder: Path, error: UserError) -> str:
    """A sentence about a file below `folder`, named from there on: reports are moved and passed on."""
    return str(error).replace(f"{folder}/", "")


def optional_files(run_dir: Path, name: str) -> dict[int, Path]:
    """{fold: run_dir/fold{k}/name} of the folds that have this file, in numerical order; `name` may hold folders."""
    folder, _, last = name.rpartition("/")
    if not folder:
        return fold_files(run_dir, last)
    folds = {fold: path.parent for fold, path in fold_files(run_dir, folder).items()}
    return {fold: place / name for fold, place in folds.items() if (place / name).exists()}
