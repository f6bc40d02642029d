"""When a result is doubtful: each warning on a case worked by hand, and on its nearest neighbour without it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.utils.report.cohorts import classification_fold, survival_fold
from utils.tables.fold_warnings import fold_warnings, merged, prediction_warnings, training_warnings


def log(scores: list[float], losses: list[float], best: int, monitor: str = "val_f1") -> pd.DataFrame:
    epochs = np.arange(1, len(scores) + 1)
    table = {"epoch": epochs, "train_loss": losses, "val_loss": losses, monitor: scores, "best": epochs == best}
    return pd.DataFrame(table).astype(float)


def words(*arguments) -> list[str]:
    return [text.split(":")[0] for text in training_warnings(*arguments)]


STILL, NEVER = (
    "val_f1 is the same in all epochs and selects none",
    "the training loss never fell below that of the first epoch",
)
FIRST, LAST = (
    "the best epoch is the first, of a model hardly trained",
    "the best epoch is the last of the 3 allowed, so it may end too early",
)


@pytest.mark.parametrize(
    ("scores", "losses", "best", "max_epochs", "expected"),
    [
        ([0.5, 0.6, 0.4], [3.0, 2.0, 1.0], 2, 20, []),
        ([0.5, 0.5, 0.5], [3.0, 2.0, 1.0], 3, 20, [STILL]),
        ([0.5, 0.5, 0.5], [3.0, 2.0, 1.0], 1, 20, [STILL, FIRST]),
        ([0.5, 0.6, 0.4], [1.0, 2.0, 1.0], 2, 20, [NEVER]),
        ([0.5, 0.6, 0.4], [1.0, 2.0, 0.9], 2, 20, []),
        ([0.5, 0.4, 0.4], [3.0, 2.0, 1.0], 1, 20, [FIRST]),
        ([0.5, 0.6, 0.7], [3.0, 2.0, 1.0], 3, 3, [LAST]),
        ([0.5, 0.6, 0.7], [3.0, 2.0, 1.0], 3, 4, []),
        ([0.5, 0.6, 0.7], [3.0, 2.0, 1.0], 3, None, []),  # a record that does not say how many
        ([0.5], [3.0], 1, 1, ["the best epoch is the last of the 1 allowed, so it may end too early"]),
        ([0.5, np.nan, 0.5], [3.0, 2.0, 1.0], 3, 20, []),
    ],
)
def test_what_a_log_says(scores, losses, best, max_epochs, expected):
    assert words(log(scores, losses, best), "val_f1", max_epochs) == expected


def test_an_empty_log_says_nothing():
    assert words(log([], [], 0), "val_f1", 20) == []


def test_the_loss_is_not_advised_to_a_run_that_uses_it():
    for monitor in ("val_loss", "val_f1"):
        texts = list(training_warnings(log([0.5, 0.5], [1.0, 1.0], 1, "val_f1"), monitor, 20))
        assert any("--monitor val_loss" in text for text in texts) == (monitor == "val_f1")
        assert all("--" in text for text in texts)  # each says what to do


def test_predictions_of_one_class():
    table = classification_fold(0)
    assert list(prediction_warnings(table, "test", "val_f1")) == []
    one_class = table.assign(prediction=1)
    (text,) = prediction_warnings(one_class, "test", "val_f1")
    assert text.startswith("all test slides are predicted as class 1: look at the learning curves")
    assert text.endswith("or --monitor val_loss")
    (text,) = prediction_warnings(one_class, "validation", "val_loss")
    assert text.startswith("all validation slides are predicted as class 1")
    assert "--monitor" not in text
    assert list(prediction_warnings(one_class.assign(label=1), "test", "val_f1")) == []  # and rightly so


def test_a_constant_risk():
    table = survival_fold(0)
    assert list(prediction_warnings(table, "test", "val_loss")) == []
    (text,) = prediction_warnings(table.assign(risk=-1.5 + 1e-9 * (np.arange(len(table)) % 2)), "test", "val_loss")
    assert text.startswith("all test cases have the same risk: look at the learning curves")
    assert list(prediction_warnings(table.iloc[:1], "test", "val_loss")) == []


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"monitor": "val_loss", "epochs": 3}, 0),
        ({"monitor": "val_f1", "epochs": 3}, 1),
        ({}, 1),
        ({"monitor": "x"}, 1),
    ],
)
def test_a_fold_is_judged_by_the_score_of_its_run(settings: dict, expected: int):
    """A record that names none, or none of its task, is of the released score."""
    run = {"task": "cls", "settings": settings}
    assert len(fold_warnings(run, log([0.5, 0.5], [2.0, 1.0], 2), classification_fold(0), "test")) == expected
    assert fold_warnings(run, None, classification_fold(0), "test") == []


def test_the_same_warning_of_several_folds_is_one_line():
    assert merged({3: ["a"], 0: [], 10: ["b", "a"]}) == ["folds 3 and 10: a", "fold 10: b"]
