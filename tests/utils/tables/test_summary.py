from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tests.utils.tables.summary_folders import RUN, write_classification_fold, write_run, write_survival_fold
from utils.errors import UserError
from utils.runs.predictions import classification_table, write_predictions
from utils.runs.run_dir import fold_files
from utils.runs.tasks import CLASSIFICATION
from utils.tables.__main__ import main
from utils.tables.summary import summarise, write_summary


@pytest.fixture
def classification_run(tmp_path: Path) -> Path:
    """Fold 0: one of two right. Fold 2: all right. Fold 10: one class only. Fold 1 is listed and missing."""
    run_dir = write_run(
        tmp_path / "cls", "cls", folds=[0, 1, 2, 10], warnings=["3 patients overlap"], splits={"fold0.csv": "abc123"}
    )
    write_classification_fold(run_dir, 10, [1, 1], [0.9, 0.2])
    write_classification_fold(run_dir, 0, [0, 1], [0.9, 0.8])
    write_classification_fold(run_dir, 2, [0, 1, 1, 0], [0.1, 0.8, 0.6, 0.3])
    return run_dir


def test_the_summary_of_a_hand_worked_classification_run(classification_run: Path):
    summary = summarise(classification_run)
    # fold   labels   predictions   acc   balanced acc   F1 of 0, 1 -> macro   AUC
    #   0     0 1        1 1        1/2       1/2          0, 2/3      1/3      0
    #   2     0 1 1 0    0 1 1 0     1         1           1, 1         1       1
    #  10     1 1        1 0        1/2       1/2          0, 2/3      1/3     none (one class)
    assert [row["fold"] for row in summary["folds"]] == [0, 2, 10]
    assert [row["n_test"] for row in summary["folds"]] == [2, 4, 2]
    assert [row["acc"] for row in summary["folds"]] == [0.5, 1.0, 0.5]
    assert [row["balanced_acc"] for row in summary["folds"]] == [0.5, 1.0, 0.5]
    assert [row["f1"] for row in summary["folds"]] == pytest.approx([1 / 3, 1, 1 / 3])
    assert [row["auc"] for row in summary["folds"]] == [0.0, 1.0, None]
    assert summary["folds"][2]["reasons"]["auc"] == "only class 1 among the labels"
    # acc 1/2, 1, 1/2: mean 2/3, population variance (2 (1/6)^2 + (1/3)^2) / 3 = 1/18.
    assert summary["mean"]["acc"] == pytest.approx(2 / 3)
    assert summary["std"]["acc"] == pytest.approx((1 / 18) ** 0.5)
    # F1 1/3, 1, 1/3: mean 5/9, population variance (2 (2/9)^2 + (4/9)^2) / 3 = 8/81.
    assert summary["mean"]["f1"] == pytest.approx(5 / 9)
    assert summary["std"]["f1"] == pytest.approx((8 / 81) ** 0.5)
    # AUC over the two folds that have one.
    assert (summary["mean"]["auc"], summary["std"]["auc"]) == (0.5, 0.5)
    assert [summary["n_defined"][name] for name in CLASSIFICATION.metrics] == [3, 3, 3, 2]
    assert [summary["n_test"][name] for name in CLASSIFICATION.metrics] == [8, 8, 8, 6]
    assert summary["sample_std"]["acc"] == pytest.approx((1 / 12) ** 0.5)
    assert summary["missing_folds"] == [1]
    assert summary["warnings"] == ["3 patients overlap"]
    assert summary["folds"][0]["split_sha256"] == "abc123"
    assert summary["folds"][0]["predictions"] == "fold0/predictions_test.csv"
    assert summary["folds"][1]["split_sha256"] is None
    assert {name: summary[name] for name in RUN} == RUN


def test_a_classification_run_has_nothing_pooled(classification_run: Path):
    assert "pooled" not in summarise(classification_run)
    write_summary(classification_run)
    assert "pooled" not in (classification_run / "summary.md").read_text()


def test_a_metric_that_no_fold_defines_is_null(tmp_path: Path):
    run_dir = write_run(tmp_path, "cls")
    write_classification_fold(run_dir, 0, [0, 0], [0.1, 0.2])
    summary = write_summary(run_dir)
    assert (summary["mean"]["auc"], summary["std"]["auc"], summary["n_defined"]["auc"]) == (None, None, 0)
    assert "| mean ± std |" in (run_dir / "summary.md").read_text()


def test_the_three_files(classification_run: Path):
    summary = write_summary(classification_run)
    assert json.loads((classification_run / "summary.json").read_text()) == summary
    with (classification_run / "summary.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["fold", "n_test", *CLASSIFICATION.measured]
    assert [row["fold"] for row in rows] == ["0", "2", "10", "mean", "std", "sample_std"]
    assert [row["auc"] for row in rows] == ["0.0", "1.0", "", "0.5", "0.5", repr(0.5**0.5)]
    assert float(rows[3]["f1"]) == summary["mean"]["f1"]
    assert (
        (classification_run / "summary.md").read_text().startswith("# BLCA: mico (released), classification, run first")
    )
    assert not list(classification_run.glob(".*"))


def test_a_minimal_run_json_is_enough(tmp_path: Path):
    run_dir = write_run(tmp_path, "cls")
    (run_dir / "run.json").write_text(json.dumps({"task": "cls", "dataset": "D", "model": "m", "formulation": "paper"}))
    write_classification_fold(run_dir, 0, [0, 1], [0.1, 0.9])
    summary = write_summary(run_dir)
    assert (summary["seed"], summary["run_name"], summary["missing_folds"], summary["warnings"]) == (2024, None, [], [])


def test_folds_are_numbers_and_other_folders_are_not_folds(tmp_path: Path):
    for name in ("fold2", "fold10", "fold1_old", "folds", "fold0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "log.csv").touch()
    assert list(fold_files(tmp_path, "log.csv")) == [0, 2, 10]


def test_predictions_of_the_other_task_are_refused(tmp_path: Path):
    run_dir = write_run(tmp_path, "surv")
    write_classification_fold(run_dir, 0, [0, 1], [0.1, 0.9])
    with pytest.raises(UserError, match="holds predictions of task cls, expected surv"):
        summarise(run_dir)


def test_the_command_rewrites_and_prints(classification_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    survival = write_run(tmp_path / "surv", "surv")
    write_survival_fold(survival, 0, [1, 2, 3], [1, 1, 0], [3, 2, 1])
    assert main([str(classification_run), str(survival)]) == 0
    printed = capsys.readouterr().out
    for run_dir in (classification_run, survival):
        assert (run_dir / "summary.md").read_text() in printed
        assert (run_dir / "summary.json").exists()


def test_a_user_error_is_one_sentence_and_writes_nothing(
    classification_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    empty = write_run(tmp_path / "empty", "cls")
    assert main([str(classification_run), str(empty)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"python -m utils.tables: error: {empty}: no fold*/predictions_test.csv is there")
    assert captured.err.count("\n") == 1
    assert not (classification_run / "summary.json").exists()


def test_a_place_that_cannot_be_written_is_one_sentence(classification_run: Path, capsys: pytest.CaptureFixture[str]):
    (classification_run / "summary.csv").mkdir()
    assert main([str(classification_run)]) == 2
    error = capsys.readouterr().err
    place = classification_run / "summary.csv"
    assert error.startswith(f"python -m utils.tables: error: {place} cannot be written (Is a directory): ")
    assert not (classification_run / "summary.json").exists()
    assert not list(classification_run.glob(".*"))


def write_slides(run_dir: Path, fold: int, *rows: tuple[str, int, float]) -> None:
    """Predictions of slides from (patient, label, probability of class 1)."""
    patients, label, positive = zip(*rows, strict=True)
    prob = np.stack([1 - np.array(positive), np.array(positive)], axis=1)
    slides = [[f"{fold}-{row}"] for row in range(len(rows))]
    write_predictions(
        run_dir / f"fold{fold}" / "predictions_test.csv", classification_table(patients, slides, np.array(label), prob)
    )


def test_several_slides_of_a_patient_are_evaluated_by_patient_too(tmp_path: Path):
    run_dir = write_run(tmp_path, "cls", folds=[0, 1, 2])
    # Slides: right, wrong, right, right. Patients: P1 (0.9 + 0.3) / 2 right, P2 right, P3 right.
    write_slides(run_dir, 0, ("P1", 1, 0.9), ("P1", 1, 0.3), ("P2", 0, 0.4), ("P3", 1, 0.8))
    # P4 has two labels. Without it: P5 wrong, P6 right.
    write_slides(run_dir, 2, ("P4", 1, 0.9), ("P4", 0, 0.3), ("P5", 0, 0.6), ("P6", 1, 0.8))
    summary = write_summary(run_dir)
    assert summary["unit"] == "slide"
    assert [row["acc"] for row in summary["folds"]] == [0.75, 0.75]
    of_patients = summary["by_patient"]
    assert [(row["n_test"], row["acc"], row["left_out"]) for row in of_patients["folds"]] == [
        (3, 1.0, []), (2, 0.5, ["P4"]),
    ]  # fmt: skip
    assert (of_patients["mean"]["acc"], of_patients["std"]["acc"], of_patients["n_defined"]["acc"]) == (0.75, 0.25, 2)
    assert json.loads((run_dir / "summary.json").read_text()) == summary
    rows = list(csv.DictReader((run_dir / "summary.csv").read_text().splitlines()))
    assert [(row["fold"], row["n_test"], row["n_patients"], row["acc"], row["acc_by_patient"]) for row in rows] == [
        ("0", "4", "3", "0.75", "1.0"), ("2", "4", "2", "0.75", "0.5"),
        ("mean", "", "", "0.75", "0.75"), ("std", "", "", "0.0", "0.25"),
        ("sample_std", "", "", "0.0", repr(0.125**0.5)),
    ]  # fmt: skip


@pytest.mark.parametrize("n_patients", [1, 2])
def test_a_fold_of_slides_of_very_few_patients_has_its_tables(tmp_path: Path, n_patients: int):
    """A patient with slides of both labels: the calibration slope has no limits, and the rest is there."""
    label, positive = np.array([0, 1, 0, 1, 0, 1]), np.array([0.2, 0.7, 0.6, 0.4, 0.3, 0.8])
    patients = [f"P{index % n_patients}" for index in (0, 1, 1, 0, 1, 0)]
    table = classification_table(patients, [[f"S{i}"] for i in range(6)], label, np.stack([1 - positive, positive], 1))
    run_dir = write_run(tmp_path, "cls")
    write_predictions(run_dir / "fold0" / "predictions_test.csv", table)
    (fold,) = write_summary(run_dir)["folds"]
    assert fold["calibration_slope"] is None
    assert fold["reasons"]["calibration_slope_low"].startswith("too few patients")
    assert fold["auc"] == pytest.approx(8 / 9)
    assert (
        "fold 0: calibration slope and calibration intercept undefined: too few patients"
        in (run_dir / "summary.md").read_text()
    )


def test_one_slide_of_each_patient_has_no_second_table(classification_run: Path):
    summary = write_summary(classification_run)
    assert "by_patient" not in summary
    assert (classification_run / "summary.csv").read_text().startswith("fold,n_test,acc,balanced_acc,f1,auc,auprc,")
    assert "by_patient" not in (classification_run / "summary.csv").read_text()
    assert "By patient" not in (classification_run / "summary.md").read_text()


@pytest.mark.parametrize(("settings", "unit"), [({}, "slide"), ({"unit": "patient"}, "patient")])
def test_the_table_says_what_is_counted(tmp_path: Path, settings: dict[str, str], unit: str):
    run_dir = write_run(tmp_path, "cls", settings=settings)
    write_classification_fold(run_dir, 0, [0, 1], [0.1, 0.9])
    assert write_summary(run_dir)["unit"] == unit
    assert f"| fold       | test {unit}s |" in (run_dir / "summary.md").read_text()
