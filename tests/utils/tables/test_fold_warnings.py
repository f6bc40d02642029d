"""When a result is doubtful: each warning on a case worked by hand, and on its nearest neighbour without it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.utils.report.cohorts import classification_fold, survival_fold
from utils.tables.fold_warnings import (
    Selection,
    fold_warnings,
    merged,
    prediction_warnings,
    training_warnings,
    unfinished_training,
)


def log(scores: list[float], losses: list[float], best: int, monitor: str = "val_f1") -> pd.DataFrame:
    epochs = np.arange(1, len(scores) + 1)
    table = {"epoch": epochs, "train_loss": losses, "val_loss": losses, monitor: scores, "best": epochs == best}
    return pd.DataFrame(table).astype(float)


def words(table: pd.DataFrame, selection: Selection) -> list[str]:
    return [text.split(":")[0] for text in training_warnings(table, selection)]


STILL = "val_f1 is the same after every epoch, so that the loss selected one"
NEVER = "the training loss never fell below that of the first epoch"
FIRST = "the best epoch is the first, of a model hardly trained"
LAST = "the best epoch is the last of the 3 allowed, perhaps too early"


@pytest.mark.parametrize(
    ("scores", "losses", "best", "max_epochs", "expected"),
    [
        ([0.5, 0.6, 0.4], [3.0, 2.0, 1.0], 2, 20, []),
        ([0.5, 0.5, 0.5], [3.0, 2.0, 1.0], 3, 20, [STILL]),
        ([0.5, 0.5, 0.5], [1.0, 2.0, 3.0], 1, 20, [STILL, NEVER]),
        ([0.5, 0.5, 0.5], [3.0, 2.0, 1.0], 3, 3, [STILL]),  # no advice about an epoch that no score selected
        ([0.5, 0.6, 0.4], [1.0, 2.0, 1.0], 2, 20, [NEVER]),
        ([0.5, 0.6, 0.4], [1.0, 2.0, 0.9], 2, 20, []),
        ([0.5, 0.4, 0.4], [3.0, 2.0, 1.0], 1, 20, [FIRST]),
        ([0.5, 0.6, 0.7], [3.0, 2.0, 1.0], 3, 3, [LAST]),
        ([0.5, 0.6, 0.7], [3.0, 2.0, 1.0], 3, 4, []),
        ([0.5, 0.6, 0.7], [3.0, 2.0, 1.0], 3, None, []),  # a record that does not say how many
        ([0.5], [3.0], 1, 1, ["the best epoch is the last of the 1 allowed, perhaps too early"]),
        ([0.5, np.nan, 0.5], [3.0, 2.0, 1.0], 3, 20, []),
    ],
)
def test_what_a_log_says(scores, losses, best, max_epochs, expected):
    assert words(log(scores, losses, best), Selection("val_f1", epochs=max_epochs)) == expected


def test_an_empty_log_says_nothing():
    assert words(log([], [], 0), Selection("val_f1")) == []


def test_what_a_score_that_stands_still_left_to_decide():
    table = log([0.5, 0.5], [2.0, 1.0], 1)
    assert words(table, Selection("val_f1", "first")) == [
        "val_f1 is the same after every epoch, so that nothing selected one"
    ]
    (text,) = training_warnings(log([0.5, 0.5], [2.0, 1.0], 1, "val_loss"), Selection("val_loss"))
    assert text == "val_loss is the same after every epoch: give another --lr"


def test_the_loss_is_not_advised_to_a_run_that_uses_it():
    for monitor, advised in (("val_loss", False), ("val_auc", True)):
        (text,) = training_warnings(log([0.5, 0.4], [2.0, 1.0], 1, monitor), Selection(monitor))
        assert text.startswith(FIRST)
        assert text.endswith("give a lower --lr" + ", or --monitor val_loss" * advised)


def said(table: pd.DataFrame, selection: Selection | None = None) -> list[str]:
    return list(prediction_warnings(table, "test slides", selection or Selection("val_f1"), n_epochs=9))


def test_predictions_of_one_class():
    table = classification_fold(0)
    assert said(table) == []
    one_class = table.assign(prediction=1)
    start = "all test slides are predicted as class 1: look at the learning curves, and give more "
    assert said(one_class) == [f"{start}--patience or --weighted_sampling, or --monitor val_loss"]
    assert said(one_class, Selection("val_loss", weighted_sampling=True)) == [f"{start}--patience"]
    assert said(one_class, Selection("val_loss", epochs=9)) == [f"{start}--epochs or --weighted_sampling"]
    named = one_class.assign(label_name="benign", prediction_name="malignant")
    assert said(named)[0].startswith("all test slides are predicted as class 1 (malignant): ")
    assert said(one_class.assign(label=1)) == []  # and rightly so


def test_the_same_probabilities_for_all():
    table = classification_fold(0)
    flat = table.assign(prob_1=0.6 + 1e-7 * (np.arange(len(table)) % 2), prediction=1)
    flat["prob_0"] = 1 - flat["prob_1"]
    start = (
        "all test slides have the same probabilities but for rounding, so that AUC says nothing: look at the features"
    )
    for labels in (flat["label"], 1):  # also where the class is right
        assert said(flat.assign(label=labels)) == [
            f"{start} and learning curves, and give another --lr or more --patience"
        ]
    assert said(flat.iloc[:1]) == []


def test_a_constant_risk():
    table = survival_fold(0)
    assert said(table) == []
    constant = table.assign(risk=-1.5 + 1e-7 * (np.arange(len(table)) % 2))  # but for the rounding of float32
    (text,) = said(constant, Selection("val_loss"))
    assert text.startswith(
        "all test slides have the same risk but for rounding, so that C-index and log-rank p say nothing"
    )
    assert said(table.iloc[:1]) == []


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"monitor": "val_loss", "epochs": 3}, 0),
        ({"monitor": "val_f1", "epochs": 3}, 1),
        ({}, 1),
        ({"monitor": "x"}, 0),
    ],
)
def test_a_fold_is_judged_by_the_score_of_its_run(settings: dict, expected: int):
    """A record that names none is of the released score."""
    run = {"task": "cls", "settings": settings}
    assert len(fold_warnings(run, log([0.5, 0.5], [2.0, 1.0], 2), classification_fold(0), "test")) == expected
    assert fold_warnings(run, None, classification_fold(0), "test") == []


@pytest.mark.parametrize(("settings", "unit"), [({}, "slide"), ({"unit": "patient"}, "patient")])
def test_a_warning_says_what_the_run_predicts(settings: dict, unit: str):
    one_class = classification_fold(0).assign(prediction=1)
    (text,) = fold_warnings({"task": "cls", "settings": settings}, None, one_class, "validation")
    assert text.startswith(f"all validation {unit}s are predicted as class 1")


def test_the_same_warning_of_several_folds_is_one_line():
    assert merged({3: ["a"], 0: [], 10: ["b", "a"]}) == ["folds 3 and 10: a", "fold 10: b"]


@pytest.mark.parametrize(
    ("epochs", "patience", "left_behind"), [(3, 8, False), (9, 2, False), (9, 3, True)], ids=["all", "early", "behind"]
)
def test_a_fold_that_was_left_behind_when_the_epochs_were_raised(epochs: int, patience: int, left_behind: bool):
    settings = {"monitor": "val_f1", "tie_rule": "val_loss", "epochs": epochs, "patience": patience}
    run = {"task": "cls", "settings": settings}
    table = log([0.6, 0.5, 0.4], [3.0, 2.0, 1.0], 1)
    found = [text for text in unfinished_training(run, table) if text.startswith("trained for 3 epochs")]
    assert bool(found) == left_behind
    assert set(found) <= set(fold_warnings(run, table, classification_fold(0), "test"))
