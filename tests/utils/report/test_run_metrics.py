from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd

from tests.utils.report.cohorts import survival_fold as survival_cases
from tests.utils.report.report_folders import write_run
from tests.utils.report.run_pages import four_slides, read, slides_of_one_class, verdict_of
from tests.utils.run_folders import (
    C_1,
    C_1_2,
    C_2_3,
    C_5_6,
    MIXED,
    RIGHT,
    Plan,
    classification_folds,
    survival_fold,
    survival_folds,
)
from utils.files.text_table import format_p
from utils.report.run_results import read_results
from utils.runs.predictions import classification_table, read_predictions
from utils.tables.summary import fold_metrics, summarise
from utils.tables.summary_text import BY_PATIENT_METHOD


def test_a_survival_run_worked_by_hand(tmp_path: Path):
    run_dir = Plan(tmp_path).add("surv", "LUAD", survival_folds(C_1, C_5_6, C_2_3))
    page = read(run_dir)
    # C-indices 1, 5/6, 2/3: mean 5/6, deviation sqrt(2 / 3) / 6 = 0.136
    assert verdict_of(page, "C-index").startswith(
        "C-index 0.833 ± 0.136 (mean ± population standard deviation over 3 folds, 9 cases, 9 deaths); "
        "95 % interval of the mean "
    )
    rows = page.rows("Metrics of the test cases")
    assert [row["fold"] for row in rows] == ["0", "1", "2", "mean ± std"]
    assert [row["C-index"] for row in rows] == ["1.000", "0.833", "0.667", "0.833 ± 0.136"]
    assert "The sample standard deviation (divided by n - 1): C-index 0.167." in page.text  # sqrt(2 / 2) / 6
    assert [row["deaths"] for row in rows] == ["3", "3", "3", "3.0"]
    # Deaths at 1, 2 and 3 months. The low half of each fold is the case of the lowest risk, the one at 3 months: high
    # die at 1 and 2. One fold: at 1, 3 at risk, 2 high: expected 2/3, variance 2/9; at 2, 2 and 1: 1/2 and 1/4; so
    # chi-squared (2 - 7/6)^2 / (17/36) = 25/17. Three folds: at 1, 9 at risk, 6 high, 3 die: expected 2, variance
    # 3 6 6 3 / (81 8) = 1/2; at 2, 6, 3 and 3: 3/2, 3 3 3 3 / (36 5) = 9/20; chi-squared (6 - 7/2)^2 / (19/20) = 6.58.
    one, three = math.erfc(math.sqrt(25 / 17 / 2)), math.erfc(math.sqrt(2.5**2 / 0.95 / 2))
    assert [row["log-rank p"] for row in rows] == [*[f"{one:.3f}"] * 3, ""]
    assert "Released, pooled: one log-rank test over the test cases of all folds" in page.text
    # Stratified: observed minus expected and variance of one fold, three times.
    stratified = math.erfc(math.sqrt(2.5**2 / (3 * 17 / 36) / 2))
    assert f"log-rank p = {stratified:.3f}, stratified by fold" in page.text  # of the curves
    groups = page.rows("Risk groups: high against low half")
    assert [row["fold"] for row in groups] == [
        "0",
        "1",
        "2",
        "stratified by fold",
        "released: pooled, not stratified",
    ]
    assert [row["log-rank p"] for row in groups] == [*[f"{one:.3f}"] * 3, f"{stratified:.3f}", f"{three:.3f}*"]
    assert [row["hazard ratio"] for row in groups] == [*["– (1)"] * 4, ""]
    assert "(1) folds 0, 1 and 2, stratified by fold: hazard ratio undefined: infinite: while both groups" in page.text
    assert "share training cases" in page.text
    assert [row["Uno's C"] for row in rows[:3]] == ["–"] * 3
    assert "Uno's C undefined: the outcomes of the training cases are not there" in page.text
    assert "(folds 0, 1 and 2)" in page.text


def test_a_run_worse_than_chance_says_so_first(tmp_path: Path):
    folds = {fold: survival_cases(fold) for fold in range(3)}
    turned = {fold: table.assign(risk=-table["risk"]) for fold, table in folds.items()}
    page = read(Plan(tmp_path).add("surv", "LUAD", turned))
    assert verdict_of(page, "This is worse than chance: the 95 % interval of the mean C-index lies below 0.5")
    assert "The run is worse than chance: the 95 % interval of the mean C-index lies below 0.5" in page.text
    assert "folds 0, 1 and 2: worse than chance" in page.text
    assert "the half that the model calls high-risk lives longer" in page.text
    assert "worse than chance" not in read(Plan(tmp_path / "right").add("surv", "LUAD", folds)).text


def test_a_classification_run_worked_by_hand(tmp_path: Path):
    page = read(Plan(tmp_path).add("cls", "BRCA", classification_folds(RIGHT, MIXED)))
    # AUC 1 and 3/4; ACC 1 and 1/2
    assert verdict_of(page, "AUC").startswith(
        "AUC 0.875 ± 0.125 (mean ± population standard deviation over 2 folds, 8 slides)"
    )
    rows = page.rows("Metrics of the test slides")
    assert [row["ACC"] for row in rows] == ["1.000", "0.500", "0.750 ± 0.250"]
    assert [row["macro F1"] for row in rows] == ["1.000", "0.500", "0.750 ± 0.250"]
    assert page.rows("Patients and slides")[2] == {
        "fold": "0",
        "part": "test",
        "patients": "4",
        "slides": "4",
        "slides of class 0": "2",
        "slides of class 1": "2",
    }
    assert [page.rows("Patients and slides")[part]["patients"] for part in (0, 1)] == ["not recorded"] * 2


def test_every_number_equals_the_summary(tmp_path: Path):
    run_dir = write_run(tmp_path / "surv" / "LUAD" / "mico", "surv")
    summary = summarise(run_dir)
    rows = read(run_dir).rows("Metrics of the test cases")
    names = {"C-index": "c_index", "Uno's C": "c_index_ipcw", "AUC(t)": "td_auc", "IBS": "ibs"}
    for row, fold in zip(rows, summary["folds"], strict=False):
        assert {name: row[name] for name in names} == {name: f"{fold[key]:.3f}" for name, key in names.items()}
    assert rows[-1]["IBS"] == f"{summary['mean']['ibs']:.3f} ± {summary['std']['ibs']:.3f}"
    groups = read(run_dir).rows("Risk groups")
    assert groups[-1]["log-rank p"].removesuffix("*") == format_p(summary["pooled"]["logrank_p"])


def test_what_the_pooled_logrank_lacks_is_said(tmp_path: Path):
    page = read(Plan(tmp_path).add("surv", "LUAD", survival_folds(C_1_2, C_1, C_1_2)))
    assert page.rows("Risk groups")[-1]["log-rank p"].endswith(" (3)")
    assert "(3) pooled: without folds 0 and 2 (all risks equal)." in page.text.splitlines()
    page = read(Plan(tmp_path / "equal").add("surv", "LUAD", survival_folds(C_1_2, C_1_2)))
    assert page.rows("Risk groups")[-1]["log-rank p"] == "– (3) (4)"
    assert "(3) pooled log-rank p undefined: no fold has two halves." in page.text


def test_a_value_without_limits_says_why(tmp_path: Path):
    page = read(Plan(tmp_path).add("surv", "LUAD", survival_folds(C_1, C_5_6)))
    perfect, other, *_ = page.rows("Metrics of the test cases")
    assert (perfect["C-index"], perfect["95 % interval"]) == ("1.000", "–")
    assert " to " in other["95 % interval"]
    assert "no interval of the C-index: a value of 1 has no variance to tell limits from (fold 0)." in page.text


def test_a_mean_without_limits_says_why_in_the_verdict(tmp_path: Path):
    page = read(Plan(tmp_path).add("surv", "LUAD", survival_folds(C_1, C_1)))
    reason = "no 95 % interval: a value of 1 has no variance to tell limits from."
    assert verdict_of(page, "C-index").endswith(reason)


def test_the_intervals_are_those_of_the_summary_to_every_digit(tmp_path: Path):
    run_dir = write_run(tmp_path / "surv" / "LUAD" / "mico", "surv", n_folds=3, n_cases=40)
    results, summary = read_results(run_dir, n_resamples=1), summarise(run_dir)
    measured = results.intervals["c_index"]
    for fold in summary["folds"]:
        interval = measured.per_fold[fold["fold"]]
        assert (interval.low, interval.high) == (fold["c_index_low"], fold["c_index_high"])
    assert results.intervals["c_index"].as_json() == summary["intervals"]["c_index"]


def test_an_interval_that_holds_chance_is_said(tmp_path: Path):
    folds = {0: pd.concat([four_slides(f"a{i}", (0.4, 0.6, 0.6, 0.4)) for i in range(4)], ignore_index=True)}
    page = read(Plan(tmp_path).add("cls", "BRCA", folds), n_resamples=200)
    assert verdict_of(page, "AUC").startswith("AUC 0.500 (1 fold, 16 slides); 95 % interval of the mean ")
    assert "these test slides do not show a signal" in page.text


def test_a_metric_that_no_fold_defines(tmp_path: Path):
    page = read(Plan(tmp_path).add("cls", "BRCA", {0: slides_of_one_class()}))
    assert "AUC is undefined in every fold: only class 1 among the labels (fold 0)." in page.text.splitlines()


def test_validation_stands_beside_the_test_metric(tmp_path: Path):
    run_dir = write_run(tmp_path / "surv" / "LUAD" / "mico", "surv")
    rows = read(run_dir).rows("Metrics of the test cases")
    own = [fold_metrics(read_predictions(run_dir / f"fold{k}" / "predictions_val.csv")) for k in (0, 1)]
    values = [one["c_index"] for one in own]
    assert [row["validation C-index"] for row in rows[:2]] == [f"{value:.3f}" for value in values]
    assert rows[2]["validation C-index"] == f"{np.mean(values):.3f} ± {np.std(values):.3f}"
    for path in run_dir.glob("fold*/predictions_val.csv"):
        path.unlink()
    assert "validation C-index" not in read(run_dir).rows("Metrics of the test cases")[0]


def test_metrics_of_patients_stand_below_those_of_their_slides(tmp_path: Path):
    """P has two slides: its probability is their mean, 0.6, which is above that of R; Q alone is below it."""
    prob = np.array([0.3, 0.9, 0.2, 0.5])
    slides = [["p1"], ["p2"], ["q1"], ["r1"]]
    table = classification_table(
        ["P", "P", "Q", "R"], slides, np.array([1, 1, 0, 0]), np.stack([1 - prob, prob], axis=1)
    )
    page = read(Plan(tmp_path).add("cls", "BRCA", {0: table}))
    assert page.rows("Metrics of the test slides")[0]["AUC"] == "0.750"
    (fold, mean) = page.rows("Metrics of the test patients")
    assert (fold["test patients"], fold["AUC"], fold["ACC"]) == ("3", "1.000", "1.000")
    assert mean["AUC"] == "1.000"
    assert BY_PATIENT_METHOD in page.text


def test_calibration_and_threshold_are_those_of_the_summary(tmp_path: Path):
    run_dir = write_run(tmp_path / "cls" / "BRCA" / "mico", "cls")
    page, summary = read(run_dir), summarise(run_dir)
    first = summary["folds"][0]
    rows = page.rows("Precision and calibration of the probabilities")
    assert rows[0]["Brier skill"] == f"{first['brier_skill']:.3f}"
    assert rows[2]["Brier skill"] == f"{summary['mean']['brier_skill']:.3f} ± {summary['std']['brier_skill']:.3f}"
    assert page.rows("Two classes at a threshold")[0]["threshold"] == f"{first['threshold']:.3f}"
    run_dir = write_run(tmp_path / "surv" / "LUAD" / "mico", "surv")
    page, summary = read(run_dir), summarise(run_dir)
    rows = page.rows("Calibration of the predicted survival")
    assert rows[1]["IBS of Kaplan-Meier"] == f"{summary['folds'][1]['ibs_reference']:.3f}"
    assert "C-index over the pairs of all folds, each patient compared within the fold only" in page.text
    assert "Precision and calibration" not in page.text


def test_a_mean_over_some_folds_says_of_which_cases(tmp_path: Path):
    run_dir = Plan(tmp_path).add("surv", "LUAD", survival_folds(C_1, C_5_6), folds=[0, 1, 2])
    page = read(run_dir)
    start = "C-index 0.917 ± 0.083 (mean ± population standard deviation over 2 of 3 folds, 6 cases, 6 deaths)"
    assert verdict_of(page, "C-index").startswith(start)
    mean = next(row for row in page.rows("Metrics of the test cases") if row["fold"] == "mean ± std")
    assert mean["test cases"] == "6 in 2 of 3 folds"
    cases = {0: survival_folds(C_1)[0], 1: survival_fold(C_1, event=(0, 0, 0), fold=1)}
    page = read(Plan(tmp_path / "none").add("surv", "LUAD", cases))
    mean = next(row for row in page.rows("Metrics of the test cases") if row["fold"] == "mean ± std")
    assert mean["C-index"] == "1.000 (1 of 2 folds, 3 cases, 3 deaths)"
