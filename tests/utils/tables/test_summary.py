from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from utils.errors import UserError
from utils.runs.predictions import classification_table, read_predictions, survival_table, write_predictions
from utils.runs.run_dir import fold_files
from utils.runs.tasks import CLASSIFICATION, SURVIVAL
from utils.runs.training_outcomes import read_training_outcomes, write_training_outcomes
from utils.statistics.censoring_metrics import TrainingOutcomes
from utils.statistics.group_effect import HAZARD_RATIO, group_effect
from utils.statistics.interval import logit_limits
from utils.statistics.metrics import survival_metrics
from utils.tables.__main__ import main
from utils.tables.summary import fold_metrics, summarise, write_summary

RUN = {"dataset": "BLCA", "model": "mico", "formulation": "released", "run_name": "first", "seed": 7}


def write_run(run_dir: Path, task: str, **more: Any) -> Path:
    run_dir.mkdir(parents=True, exist_ok=True)
    (run_dir / "run.json").write_text(json.dumps(RUN | {"task": task} | more))
    return run_dir


def write_classification_fold(run_dir: Path, fold: int, label: list[int], positive: list[float]) -> None:
    ids = [f"{index:03d}" for index in range(len(label))]
    prob = np.stack([1 - np.array(positive), np.array(positive)], axis=1)
    table = classification_table(ids, [[name] for name in ids], np.array(label), prob)
    write_predictions(run_dir / f"fold{fold}" / "predictions_test.csv", table)


def write_survival_fold(run_dir: Path, fold: int, time: list[float], event: list[int], risk: list[float]) -> None:
    ids = [f"{fold}-{index:03d}" for index in range(len(time))]
    n = len(time)
    table = survival_table(ids, [[i] for i in ids], time, event, np.zeros(n), risk, np.full((n, 4), 0.5))
    write_predictions(run_dir / f"fold{fold}" / "predictions_test.csv", table)


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


def test_the_summary_of_a_survival_run(tmp_path: Path):
    run_dir = write_run(tmp_path, "surv", folds=[0, 1])
    # Three of four comparable pairs: (0, 1) (0, 2) (0, 3) are right, (1, 2) and (1, 3) too, (2, 3) is not comparable.
    time, event, risk = [1.0, 2, 3, 4], [1, 1, 0, 0], [0.9, 0.1, 0.5, 0.05]
    write_survival_fold(run_dir, 0, time, event, risk)
    write_survival_fold(run_dir, 1, time, [0, 0, 0, 0], risk)
    summary = summarise(run_dir)
    first, second = summary["folds"]
    assert first["c_index"] == pytest.approx(4 / 5)  # (1, 2) is wrong
    # Without each case in turn 1 of 2, 3 of 3, 2 of 3 and 2 of 3 pairs are right.
    without = np.array([1 / 2, 1, 1, 2 / 3])
    limits = logit_limits(4 / 5, 3 / 4 * ((without - without.mean()) ** 2).sum())
    assert (first["c_index_low"], first["c_index_high"]) == pytest.approx(limits)
    measured = summary["intervals"]["c_index"]
    limits = {"low": first["c_index_low"], "high": first["c_index_high"]}
    assert measured["folds"][0] == {"fold": 0, "value": first["c_index"], **limits, "reason": None}
    assert measured["folds"][1]["reason"] == "no events"
    assert measured["mean"] == {name: value for name, value in measured["folds"][0].items() if name != "fold"}
    assert [second[name] for name in SURVIVAL.metrics] == [None, None, None, None, 0, None, None, None]
    assert second["reasons"]["c_index"] == "no events"
    assert (summary["mean"]["c_index"], summary["std"]["c_index"]) == (first["c_index"], 0.0)
    assert (summary["mean"]["n_events"], summary["std"]["n_events"]) == (1.0, 1.0)


# Folds of odd and even size, with ties, and one of equal risks: time, event, risk.
FOLDS = {
    0: ([4.0, 9, 2, 7, 5], [1, 0, 1, 1, 1], [0.2, -1.0, 0.9, 0.1, 0.2]),
    1: ([3.0, 8, 1, 6], [1, 1, 0, 1], [15.0, 11, 14, 12]),
    2: ([3.0, 5], [1, 1], [0.5, 0.5]),
    10: ([2.0, 6, 10], [1, 0, 1], [-3.0, -3.5, -4]),
}
# High by hand, at or above the medians 0.2, 13 and -3.5; fold 2 has no halves.
HIGH = {0: [1, 0, 1, 0, 1], 1: [1, 0, 1, 0], 10: [1, 1, 0]}


@pytest.fixture
def survival_run(tmp_path: Path) -> Path:
    run_dir = write_run(tmp_path / "surv", "surv", folds=[0, 1, 2, 10])
    for fold, (time, event, risk) in FOLDS.items():
        write_survival_fold(run_dir, fold, time, event, risk)
    return run_dir


def test_the_pooled_logrank_from_prediction_files_to_the_three_files(survival_run: Path):
    time, event = (np.array([x for fold in (0, 1, 10) for x in FOLDS[fold][column]]) for column in (0, 1))
    high = np.array([x for fold in (0, 1, 10) for x in HIGH[fold]], dtype=bool)
    difference = variance = 0.0
    for t in np.unique(time[event == 1]):
        n, n_1, d = (time >= t).sum(), (time[high] >= t).sum(), ((time == t) & (event == 1)).sum()
        difference += ((time == t) & (event == 1) & high).sum() - d * n_1 / n
        variance += d * (n - d) * n_1 * (n - n_1) / (n * n * (n - 1)) if n > 1 else 0
    p = math.erfc(math.sqrt(difference**2 / variance / 2))
    summary = write_summary(survival_run)
    assert summary["pooled"] == {
        "logrank_p": pytest.approx(p, abs=1e-12),
        "n_cases": 12,
        "n_high": 7,
        "deaths_high": 5,  # at 4, 2, 5 of fold 0, at 3 of fold 1, at 2 of fold 10
        "deaths_low": 4,  # at 7, at 8 and 6, at 10
        "folds": [0, 1, 10],
        "left_out": {"2": "all risks equal"},
        "reason": None,
    }
    assert json.loads((survival_run / "summary.json").read_text()) == summary
    rows = list(csv.DictReader((survival_run / "summary.csv").read_text().splitlines()))
    assert [row["fold"] for row in rows] == ["0", "1", "2", "10", "mean", "std", "sample_std", "stratified", "pooled"]
    pooled = {name: cell for name, cell in rows[-1].items() if cell}
    assert pooled.keys() == {"fold", "n_test", "n_events", "logrank_p", "c_index"}
    assert float(pooled["c_index"]) == summary["c_index_within_folds"]["c_index"]
    assert (pooled["n_test"], pooled["n_events"]) == ("12", "9")
    assert float(pooled["logrank_p"]) == summary["pooled"]["logrank_p"]
    fold = np.array([k for k in (0, 1, 10) for _ in FOLDS[k][0]])
    effect = group_effect(event, time, high, fold)
    stratified = {name: float(cell) for name, cell in rows[-2].items() if cell and name != "fold"}
    assert effect.hazard_ratio is None  # only high-risk cases die while both halves are at risk
    assert stratified == {"n_test": 12, "n_events": 9, "logrank_p": effect.p}
    (line,) = [line for line in (survival_run / "summary.md").read_text().splitlines() if line.startswith("| released")]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert 0.01 < p < 0.05
    assert cells[5].startswith(f"{p:.3f} (")  # below 0.05, but a fold is left out: no star


def test_the_halves_of_a_fold_are_at_or_above_its_median(survival_run: Path):
    row = summarise(survival_run)["folds"][3]
    # Fold 10: deaths at 2 (high) and 10 (low), the case at the median, high, censored at 6. At 2 months 3 at risk, 2 of
    # them high: expected 2/3, variance 2/9; at 10 nobody else: chi-squared (1/3)^2 / (2/9) = 1/2.
    assert row["logrank_p"] == pytest.approx(math.erfc(math.sqrt(1 / 2 / 2)), abs=1e-12)


def test_a_pooled_logrank_without_a_value_has_its_reason(tmp_path: Path):
    run_dir = write_run(tmp_path / "equal", "surv")
    write_survival_fold(run_dir, 0, [1, 2], [1, 1], [0.5, 0.5])
    summary = write_summary(run_dir)
    assert summary["pooled"] == dict.fromkeys(("n_cases", "n_high", "deaths_high", "deaths_low"), 0) | {
        "logrank_p": None, "folds": [], "left_out": {"0": "all risks equal"}, "reason": "no fold has two halves",
    }  # fmt: skip
    assert (run_dir / "summary.csv").read_text().splitlines()[-1] == "pooled,0,0.5,,,,0,,,,,,,,,,,"
    run_dir = write_run(tmp_path / "twice", "surv")
    for fold in (0, 1):
        write_survival_fold(run_dir, fold, [1, 2, 3], [1, 1, 0], [3, 2, 1])
    path = run_dir / "fold1" / "predictions_test.csv"
    path.write_text(path.read_text().replace("1-00", "0-00"))
    pooled = summarise(run_dir)["pooled"]
    assert (pooled["logrank_p"], pooled["n_cases"]) == (None, 6)
    assert pooled["reason"] == "3 cases in the test part of more than one fold"


def test_a_classification_run_has_nothing_pooled(classification_run: Path):
    assert "pooled" not in summarise(classification_run)
    write_summary(classification_run)
    assert "pooled" not in (classification_run / "summary.md").read_text()


def write_outcomes(run_dir: Path, fold: int, **change: Any) -> dict[str, Any]:
    """Training cases with the inner edges 3, 4.5 and 6 of four bins."""
    outcomes = {
        "event": np.array([1, 0, 1, 0, 1, 1, 0]),
        "time": np.array([1, 2, 3, 4, 4.5, 6, 9]),
        "bin": np.array([0, 0, 1, 1, 2, 3, 3]),
    } | change
    ids = [f"train_{index}" for index in range(len(outcomes["time"]))]
    write_training_outcomes(run_dir / f"fold{fold}" / "outcomes_train.csv", case_ids=ids, **outcomes)
    return outcomes


def test_training_outcomes_beside_the_predictions_give_the_metrics_corrected_for_censoring(tmp_path: Path):
    run_dir = write_run(tmp_path, "surv", folds=[0, 1])
    time, event, risk = [2.0, 3.5, 5, 7, 8], [1, 1, 0, 1, 0], [0.5, 0.9, 0.4, 0.1, 0.3]
    write_survival_fold(run_dir, 0, time, event, risk)
    write_survival_fold(run_dir, 1, time, event, risk)
    outcomes = write_outcomes(run_dir, 1)
    summary = write_summary(run_dir)
    first, second = summary["folds"]
    expected = survival_metrics(
        np.array(event), np.array(time), np.array(risk), seed=RUN["seed"],
        train=TrainingOutcomes(**outcomes), hazards=np.full((5, 4), 0.5),
    )  # fmt: skip
    expected.pop("reasons")
    assert {name: second[name] for name in expected} == expected
    # The deaths before 6 months, at 2 and 3.5, have the same weight (G = 5/6 from 2 to 4 months): the first is ranked
    # right against 3 of 4 others, the second against 3 of 3.
    assert second["c_index_ipcw"] == pytest.approx(6 / 7)
    # By 3 months one has died, AUC 3/4 and S = 4/5; by 4.5 two, AUC 1 and S = 3/5; by 6 nobody more.
    assert second["td_auc"] == pytest.approx((3 / 4 * 1 / 5 + 1 * 1 / 5) / (2 / 5))
    constant = "constant among the cases at risk at every death"
    slope = dict.fromkeys(("calibration_slope", "calibration_slope_low", "calibration_slope_high"), constant)
    assert second["reasons"] == slope
    needing = ("c_index_ipcw", "td_auc", "ibs", "ibs_reference", "ibs_skill")
    reason = "the outcomes of the training cases are not there (outcomes_train.csv)"
    assert first["reasons"] == slope | dict.fromkeys(needing, reason)
    for name in needing:
        assert first[name] is None
        assert (summary["mean"][name], summary["std"][name], summary["n_defined"][name]) == (second[name], 0.0, 1)
    assert json.loads((run_dir / "summary.json").read_text()) == summary
    rows = list(csv.DictReader((run_dir / "summary.csv").read_text().splitlines()))
    assert list(rows[0])[2:] == [*SURVIVAL.measured, *HAZARD_RATIO]
    assert [row["ibs"] for row in rows] == ["", repr(second["ibs"]), repr(second["ibs"]), "0.0", "", "", ""]


def test_fold_metrics_take_training_outcomes_for_survival_only(tmp_path: Path):
    write_survival_fold(tmp_path, 0, [2.0, 3.5, 5, 7, 8], [1, 1, 0, 1, 0], [0.5, 0.9, 0.4, 0.1, 0.3])
    write_outcomes(tmp_path, 0)
    table = read_predictions(tmp_path / "fold0" / "predictions_test.csv")
    outcomes = read_training_outcomes(tmp_path / "fold0" / "outcomes_train.csv")
    assert fold_metrics(table, with_interval=False, outcomes=outcomes)["c_index_ipcw"] == pytest.approx(6 / 7)
    assert fold_metrics(table, with_interval=False)["c_index_ipcw"] is None
    write_classification_fold(tmp_path, 1, [0, 1], [0.1, 0.9])
    table = read_predictions(tmp_path / "fold1" / "predictions_test.csv")
    assert fold_metrics(table, outcomes=outcomes) == fold_metrics(table)


def test_training_outcomes_of_other_bins_or_damaged_ones_are_user_errors(tmp_path: Path):
    run_dir = write_run(tmp_path, "surv")
    write_survival_fold(run_dir, 0, [1, 2, 3, 4], [1, 1, 0, 1], [4, 3, 2, 1])
    write_outcomes(run_dir, 0, bin=np.array([0, 0, 1, 1, 2, 3, 4]))
    with pytest.raises(UserError, match=r"outcomes_train.csv: holds bin 4, expected 0 to 3 as the predictions beside"):
        summarise(run_dir)
    (run_dir / "fold0" / "outcomes_train.csv").write_text("case_id,time,event,bin\na,1,7,0\n")
    with pytest.raises(UserError, match=r"outcomes_train.csv: column event, line 2: found '7'"):
        summarise(run_dir)


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


def test_the_csv_averages_no_p_values_and_no_interval_ends(tmp_path: Path):
    run_dir = write_run(tmp_path, "surv")
    write_survival_fold(run_dir, 0, [1, 2, 3, 4], [1, 1, 0, 1], [4, 2, 3, 1])
    summary = write_summary(run_dir)
    rows = {row["fold"]: row for row in csv.DictReader((run_dir / "summary.csv").read_text().splitlines())}
    assert float(rows["mean"]["c_index"]) == summary["mean"]["c_index"] == 4 / 5
    for name in ("c_index_low", "c_index_high", "logrank_p"):
        assert rows["0"][name] != ""
        assert rows["mean"][name] == rows["std"][name] == ""


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
