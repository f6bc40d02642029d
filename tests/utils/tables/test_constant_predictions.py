"""Predictions that do not tell cases apart, with and without outcomes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.utils.report.cohorts import classification_fold, survival_fold
from utils.tables.constant_predictions import SAME, only_class, same_scores, unlabelled_warnings


@pytest.mark.parametrize(("spread", "same"), [(0.0, True), (0.9 * SAME, True), (1.5 * SAME, False)])
def test_scores_are_the_same_but_for_rounding(spread: float, same: bool):
    steps = spread * np.linspace(0, 1, 60)
    classes = classification_fold(0).assign(prob_0=0.25 + steps, prob_1=0.75 - steps)
    assert same_scores(classes) == ("probabilities" if same else None)
    assert same_scores(survival_fold(0).assign(risk=-2 + steps)) == ("risk" if same else None)
    assert same_scores(classes.iloc[:1]) is None


def test_one_class_is_doubtful_unless_all_cases_are_of_it():
    table = classification_fold(0).assign(prediction=1)
    assert only_class(table) == "1"
    assert only_class(table.assign(prediction_name="malignant")) == "1 (malignant)"
    assert only_class(table.assign(label=1)) is None
    assert only_class(table.assign(label=pd.array([pd.NA] * 60, dtype="Int64"))) == "1"
    assert only_class(table.assign(label=pd.array([1] * 59 + [pd.NA], dtype="Int64"))) == "1"
    assert only_class(classification_fold(0)) is None
    assert only_class(survival_fold(0)) is None


def test_each_table_without_outcomes_has_its_sentence():
    table = classification_fold(0).assign(label=pd.array([pd.NA] * 60, dtype="Int64"))
    flat = table.assign(prob_0=0.4, prob_1=0.6, prediction=1)
    said = list(unlabelled_warnings({"fold 0": table, "fold 1": flat, "fold 2": table.assign(prediction=0)}))
    assert said == [
        "fold 1 predicts the same probabilities for all cases, but for rounding: look at the features",
        "fold 2 predicts class 0 for all cases: perhaps its threshold does not fit them",
    ]
    risks = survival_fold(0).assign(risk=-1.0)
    (text,) = unlabelled_warnings({"the ensemble": risks})
    assert text.startswith("the ensemble predicts the same risk for all cases")
