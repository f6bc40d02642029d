from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from datasets.folds import cases
from tests.utils.report.cohorts import classification_fold, survival_fold
from utils.command.settings import RunSettings
from utils.errors import UserError
from utils.runs.predictions import output_columns, task_of
from utils.runs.tasks import (
    CLASSIFICATION,
    CORRECTED_FOR_CENSORING,
    LOWER_IS_BETTER,
    METRIC_WORDS,
    MONITORS,
    SURVIVAL,
    TASKS,
    TASKS_OF_THE_PAPER,
    Task,
)
from utils.tables.summary import fold_metrics

each_task = pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)


def test_the_rooms_below_know_the_same_tasks():
    choices = {field.name: field.metadata.get("choices") for field in fields(RunSettings)}["task"]
    assert tuple(TASKS) == cases.TASKS == tuple(choices)
    assert TASKS == {"cls": CLASSIFICATION, "surv": SURVIVAL}
    assert set(TASKS_OF_THE_PAPER) == set(TASKS.values())


@each_task
def test_every_metric_is_computed_and_has_one_printed_name(task: Task):
    table = classification_fold(0) if task == CLASSIFICATION else survival_fold(0)
    assert set(task.metrics) <= set(fold_metrics(table, with_interval=False))
    assert {*task.shown, *task.compared, *task.logged, task.curve} <= set(task.metrics) & set(METRIC_WORDS)
    assert task.shown[0] == task.compared[0] == task.metric
    assert {*task.monitors} <= {"val_loss", *(f"val_{name}" for name in task.logged)}
    assert task.curve in task.logged


def test_printed_names_differ():
    assert len(set(METRIC_WORDS.values())) == len(METRIC_WORDS)
    assert {*CORRECTED_FOR_CENSORING, *LOWER_IS_BETTER} <= set(METRIC_WORDS)


@each_task
def test_columns_are_those_of_a_prediction_table(task: Task):
    table = classification_fold(0) if task == CLASSIFICATION else survival_fold(0)
    assert task_of(table) == task
    assert list(table.columns) == ["case_id", "slide_ids", *task.known, *output_columns(table)]
    assert output_columns(table)[0] == f"{task.output}_0"
    assert set(task.outcome) <= set(task.known)
    assert table[task.row_id].is_unique
    assert np.isfinite(table[list(task.known)].to_numpy(dtype=np.float64)).all()


@pytest.mark.parametrize(("task", "released"), [(CLASSIFICATION, "val_f1"), (SURVIVAL, "val_loss")])
def test_the_released_score_selects_the_epoch_unless_another_is_asked_for(task: Task, released: str):
    assert task.monitor("auto") == released
    assert all(task.monitor(name) == name for name in task.monitors)
    assert set(MONITORS[task.name]) == {"auto", *task.monitors}


@pytest.mark.parametrize(
    ("task", "asked", "expected"),
    [
        (CLASSIFICATION, "val_c_index", "auto, val_auc, val_f1, val_loss"),
        (SURVIVAL, "val_f1", "auto, val_c_index, val_loss"),
    ],
)
def test_a_score_of_the_other_task_is_refused(task: Task, asked: str, expected: str):
    with pytest.raises(UserError, match=f"got --monitor {asked} with --task {task.name}, expected {expected}"):
        task.monitor(asked)


def test_a_task_cannot_be_changed():
    with pytest.raises(AttributeError):
        SURVIVAL.words = "something else"  # type: ignore[misc]
