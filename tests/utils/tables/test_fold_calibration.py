from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.utils.report.cohorts import classification_fold, outcomes_of, survival_fold
from utils.runs.predictions import write_predictions
from utils.statistics.thresholds import youden_threshold
from utils.tables.fold_calibration import with_calibration
from utils.tables.summary import fold_metrics


def of_classes(place: Path, table: pd.DataFrame) -> dict[str, object]:
    return with_calibration(fold_metrics(table, seed=1), table, place, outcomes=None, seed=1)


def test_validation_chooses_the_threshold_and_training_has_the_class_shares(tmp_path: Path):
    table, validation, training = (classification_fold(seed, n) for seed, n in ((1, 40), (2, 30), (3, 50)))
    write_predictions(tmp_path / "predictions_val.csv", validation)
    write_predictions(tmp_path / "predictions_train.csv", training)
    found = of_classes(tmp_path, table)
    assert found["threshold"] == youden_threshold(validation["label"].to_numpy(), validation["prob_1"].to_numpy())
    share = training["label"].mean()
    assert found["brier_reference"] == pytest.approx(np.mean((share - table["label"]) ** 2))
    assert found["brier_reference_of"] == "training"
    assert found["acc"] == fold_metrics(table, seed=1)["acc"]


def test_files_that_are_missing_damaged_or_of_others_are_not_there(tmp_path: Path):
    table = classification_fold(1)
    (tmp_path / "predictions_val.csv").write_text("case_id\n1\n")
    write_predictions(tmp_path / "predictions_train.csv", survival_fold(1))
    found = of_classes(tmp_path, table)
    assert found["brier_reference_of"] == "test"
    assert found["reasons"]["threshold"].startswith("the predictions of the validation cases are not there")
    write_predictions(tmp_path / "predictions_val.csv", classification_fold(2, n_classes=3))
    assert of_classes(tmp_path, table)["threshold"] is None


def test_a_survival_fold_takes_the_reason_of_its_brier_score(tmp_path: Path):
    table, outcomes = survival_fold(1, n=80), outcomes_of(survival_fold(2, n=150))
    metrics = fold_metrics(table, seed=1, outcomes=outcomes)
    found = with_calibration(metrics, table, tmp_path, outcomes=outcomes, seed=1)
    assert found["ibs_skill"] == pytest.approx(1 - metrics["ibs"] / found["ibs_reference"])
    metrics = fold_metrics(table, seed=1)
    without = with_calibration(metrics, table, tmp_path, outcomes=None, seed=1)
    assert without["reasons"]["ibs_skill"] == metrics["reasons"]["ibs"]
    assert set(metrics["reasons"]) < set(without["reasons"])
