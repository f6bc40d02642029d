"""The test cases of all folds of a run, with what their models say of them: what the clinical question is put to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datasets.folds.cases import patient_of
from datasets.folds.fold_checks import first_ids
from utils.errors import UserError
from utils.files.phrases import counted
from utils.files.provenance import digest
from utils.runs.class_words import ClassWords
from utils.runs.predictions import output_columns, read_predictions, task_of
from utils.runs.run_dir import fold_files
from utils.runs.run_record import read_run
from utils.runs.tasks import SURVIVAL, TASKS, Task
from utils.statistics.fold_pairs import as_survival
from utils.statistics.patients import by_patient, has_patients_of_several_rows

PREDICTIONS = "predictions_test.csv"
_LEAST_PROBABILITY = 1e-7  # a softmax of 16 bits rounds to 0 and 1


@dataclass(frozen=True)
class PredictedCases:
    """n patients, each in the test part of one fold.

    Attributes:
        run: `run.json`.
        case_id: (n,) texts as in the prediction files.
        fold: (n,) whose model predicted a case.
        score: (n,) the model's risk in survival (higher = earlier death); in classification the logit of the
            probability of class 1.
        outcome: (n,) bool: deaths, or cases of class 1.
        time: (n,) months (survival; else None).
        slides: {slide: case}.
        notes: how slides became patients, each one sentence.
        digests: {`fold0`: SHA-256 of its prediction file}.
    """

    run: Mapping[str, Any]
    case_id: np.ndarray
    fold: np.ndarray
    score: np.ndarray
    outcome: np.ndarray
    time: np.ndarray | None
    slides: Mapping[str, str]
    notes: tuple[str, ...]
    digests: Mapping[str, str]

    @property
    def task(self) -> Task:
        """The task of the run."""
        return TASKS[self.run["task"]]

    @property
    def is_survival(self) -> bool:
        """Whether the outcome is a time."""
        return self.task == SURVIVAL

    @property
    def metric(self) -> str:
        """`c_index` or `auc`."""
        return self.task.metric

    @property
    def event_and_time(self) -> tuple[np.ndarray, np.ndarray]:
        """(n,) each: those of survival, and in classification those whose C-index is the AUC."""
        if self.time is None:
            return as_survival(self.outcome)
        return self.outcome, self.time

    @property
    def outcome_words(self) -> str:
        """What `outcome` counts: `deaths`, or the name of class 1."""
        return "deaths" if self.is_survival else ClassWords.of(self.run, 2).brief(1)

    def only(self, kept: np.ndarray) -> PredictedCases:
        """Those of `kept` (n,) bool."""
        names = ("case_id", "fold", "score", "outcome", "time")
        values: dict[str, Any] = {name: getattr(self, name) for name in names}
        return replace(self, **{name: value[kept] for name, value in values.items() if value is not None})


def read_predicted_cases(run_dir: Path) -> PredictedCases:
    """Read the test predictions of all folds of a run.

    Where slides were classified and a patient has several, the patient's probability is the mean of those of the
    slides; a patient whose slides have different labels is left out.

    Raises:
        UserError: nothing is predicted yet; a file is damaged; more than two classes; or a patient is in the test part
            of several folds.
    """
    run = read_run(run_dir)
    paths = fold_files(run_dir, PREDICTIONS)
    if not paths:
        raise UserError(
            f"{run_dir} has no fold*/{PREDICTIONS}: expected predictions of the test cases; run main.py --stage test "
            "for it first"
        )
    tables = {fold: read_predictions(path) for fold, path in paths.items()}
    _check_task(run_dir, run, tables)
    slides = dict(_slides(tables))
    notes: list[str] = []
    if run["task"] != SURVIVAL.name:
        tables = {fold: _patients(table, notes) for fold, table in tables.items()}
    fold = np.concatenate([np.full(len(table), number) for number, table in tables.items()])
    table = pd.concat(tables.values(), ignore_index=True)
    case_id = table["case_id"].to_numpy(dtype=str)
    _check_once(run_dir, case_id)
    is_survival = run["task"] == SURVIVAL.name
    return PredictedCases(
        run=run,
        case_id=case_id,
        fold=fold,
        score=table["risk"].to_numpy(dtype=np.float64) if is_survival else _logit(table["prob_1"].to_numpy()),
        outcome=table["event" if is_survival else "label"].to_numpy() == 1,
        time=table["time"].to_numpy(dtype=np.float64) if is_survival else None,
        slides=slides,
        notes=tuple(dict.fromkeys(notes)),
        digests={f"fold{number}": digest(path) for number, path in paths.items()},
    )


def _check_task(run_dir: Path, run: Mapping[str, Any], tables: Mapping[int, pd.DataFrame]) -> None:
    for fold, table in tables.items():
        if task_of(table).name != run["task"]:
            raise UserError(
                f"{run_dir}/fold{fold}: holds predictions of task {task_of(table).name}, expected {run['task']} as in "
                "run.json; keep the runs of the two tasks in folders of their own"
            )
        n_classes = len(output_columns(table))
        if run["task"] != SURVIVAL.name and n_classes != 2:
            raise UserError(
                f"{run_dir} has {n_classes} classes: expected survival or two classes for --clinical, whose models of "
                "clinical covariates are Cox's and the logistic one; leave it out"
            )


def _slides(tables: Mapping[int, pd.DataFrame]) -> Iterator[tuple[str, str]]:
    for table in tables.values():
        for case_id, joined in zip(table["case_id"], table["slide_ids"], strict=True):
            yield from ((slide, str(case_id)) for slide in joined.split(";"))


def _patients(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    if not has_patients_of_several_rows(table):
        return table
    patients = by_patient(table)
    notes.append("The probability of a patient is the mean of those of the patient's slides.")
    if patients.left_out:
        number = counted(len(patients.left_out), "patient")
        notes.append(f"Left out: {number} with slides of different labels ({first_ids(patients.left_out)}).")
    return patients.table


def _check_once(run_dir: Path, case_id: np.ndarray) -> None:
    names, counts = np.unique([patient_of(one).casefold() for one in case_id], return_counts=True)
    if (counts > 1).any():
        raise UserError(
            f"{run_dir}: {counted(int((counts > 1).sum()), 'patient')} in the test parts of several folds "
            f"({first_ids([str(name) for name in names[counts > 1]])}), where --clinical expects each patient once: "
            "use folds of a cross-validation"
        )


def _logit(probability: np.ndarray) -> np.ndarray:
    inside = np.clip(probability.astype(np.float64), _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    return np.log(inside / (1 - inside))
