from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.utils.report.cohorts import survival_fold as survival_cases
from tests.utils.report.page_reader import PageReader
from tests.utils.report.report_folders import gradient, write_explanations, write_run
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
from utils.errors import UserError
from utils.explain.anchor_text import READING_NOTES
from utils.files.text_table import format_p
from utils.report.run_page import write_run_report
from utils.report.run_results import read_results
from utils.report.sections.case_pictures import HOW_TO_EXPLAIN
from utils.report.sections.case_tables import certainty, extreme_cases, prediction_table
from utils.runs.predictions import classification_table, read_predictions, write_predictions
from utils.tables.summary import fold_metrics, summarise
from utils.tables.summary_text import BY_PATIENT_METHOD


def read(run_dir: Path, *, n_resamples: int = 20) -> PageReader:
    return PageReader(write_run_report(run_dir, n_resamples=n_resamples).read_text(encoding="utf-8"))


def verdict_of(page: PageReader, start: str) -> str:
    return next(line for line in page.text.splitlines() if line.startswith(start))


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
    folds = {0: pd.concat([_cases(f"a{i}", (0.4, 0.6, 0.6, 0.4)) for i in range(4)], ignore_index=True)}
    page = read(Plan(tmp_path).add("cls", "BRCA", folds), n_resamples=200)
    assert verdict_of(page, "AUC").startswith("AUC 0.500 (1 fold, 16 slides); 95 % interval of the mean ")
    assert "these test slides do not show a signal" in page.text


def _cases(prefix: str, positive: tuple[float, ...]) -> pd.DataFrame:
    ids = [f"{prefix}-{index}" for index in range(len(positive))]
    prob = np.stack([1 - np.array(positive), np.array(positive)], axis=1)
    return classification_table(ids, [[name] for name in ids], np.array([0, 0, 1, 1]), prob)


def test_warnings_missing_folds_and_undefined_metrics_come_first(tmp_path: Path):
    folds = {0: _one_class(), 2: _cases("b", (0.1, 0.2, 0.7, 0.9))}
    run_dir = Plan(tmp_path).add("cls", "BRCA", folds, folds=[0, 1, 2], warnings=["3 patients  in\ntrain and test"])
    page = read(run_dir)
    lines = page.text.splitlines()
    start, end = lines.index("Warnings", lines.index("Settings and provenance")), len(lines)
    assert lines[start + 1 : end][:3] == [
        "3 patients in train and test",
        "Fold 1 is missing: it has no test predictions yet.",
        "AUC is undefined: only class 1 among the labels (fold 0).",
    ]
    assert page.rows("Metrics of the test slides")[-2] == {"fold": "1", "test slides": "missing"} | dict.fromkeys(
        ("ACC", "balanced ACC", "macro F1", "AUC", "95 % interval"), ""
    )


def test_a_warning_of_several_folds_is_said_once(tmp_path: Path):
    of_folds = [f"{n} patients are in two parts of splits/fold{fold}.csv" for fold, n in ((0, 3), (1, 4), (3, 3))]
    page = read(write_run(tmp_path / "cls" / "BRCA" / "mico", "cls", warnings=[*of_folds, "no mpp", "no mpp"]))
    lines = page.text.splitlines()
    start = lines.index("Warnings", lines.index("Settings and provenance"))
    assert lines[start + 1 : start + 5] == [
        "3 patients are in two parts of splits/fold*.csv (folds 0 and 3)",
        "4 patients are in two parts of splits/fold1.csv",
        "no mpp",
        "Cohort and split",
    ]


def test_the_end_of_many_warnings_is_folded(tmp_path: Path):
    warnings = [f"warning {index}" for index in range(14)]
    page = read(write_run(tmp_path / "cls" / "BRCA" / "mico", "cls", warnings=warnings))
    lines = page.text.splitlines()
    start = lines.index("warning 0")
    assert lines[start : start + 15] == [*warnings[:12], "2 more warnings", *warnings[12:]]


def _one_class() -> pd.DataFrame:
    return classification_table(["x", "y"], [["x"], ["y"]], np.array([1, 1]), np.array([[0.2, 0.8], [0.6, 0.4]]))


def test_a_metric_that_no_fold_defines(tmp_path: Path):
    page = read(Plan(tmp_path).add("cls", "BRCA", {0: _one_class()}))
    assert "AUC is undefined in every fold: only class 1 among the labels (fold 0)." in page.text.splitlines()


def test_a_run_without_predictions_has_a_report_too(tmp_path: Path):
    run_dir = write_run(tmp_path / "surv" / "LUAD" / "mico", "surv")
    for path in run_dir.glob("fold*/predictions_test.csv"):
        path.unlink()
    page = read(run_dir)
    assert "No test predictions yet" in page.text
    assert "Learning curves" in page.text
    assert not any(caption.startswith("Metrics") for caption in page.tables)
    for path in run_dir.glob("fold*/*"):
        path.unlink()
    assert "no predictions yet" in read(run_dir).text


def test_classes_have_their_names_wherever_they_are_spoken_of(tmp_path: Path):
    run_dir = write_run(tmp_path / "cls" / "BRCA" / "mico", "cls", class_names=["benign", "malignant"])
    place = write_explanations(run_dir, size=(30, 20))
    anchors = pd.read_csv(place / "anchors.csv", keep_default_na=False)
    anchors.loc[0, "note"] = "class 1: no interval; in 2 cases only"
    anchors.to_csv(place / "anchors.csv", index=False)
    page = read(run_dir)
    lines = page.text.splitlines()
    assert {
        "ROC, malignant (class 1) against benign (class 0)",
        "Calibration of the probability of malignant (class 1)",
        "Probability of malignant (class 1) by label",
        "Anchors and malignant (class 1)",
    } <= set(lines)
    assert "AUC: of malignant (class 1)." in page.text
    assert re.search(
        r"outcome: (benign|malignant); prediction: (benign|malignant) \(0\.\d\d\), (right|wrong)", page.text
    )
    rows = page.rows("Predictions of the test slides")
    assert {row["class"] for row in rows} == {row["predicted"] for row in rows} == {"benign", "malignant"}
    assert {"probability of benign", "probability of malignant"} <= set(rows[0])
    assert {"slides of class benign", "slides of class malignant"} <= set(page.rows("Patients and slides")[0])
    noted = page.rows("Anchors of fold 0")[0]
    assert noted["note"] == "malignant (class 1): no interval; in 2 cases only"
    assert {"auc malignant", "auc malignant low", "p malignant", "p malignant holm"} <= set(noted)
    assert not re.search(r"(?<!\()(?<!slides of )\bclass \d", page.text)


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


def test_where_patients_are_classified_they_are_called_so(tmp_path: Path):
    run_dir = write_run(tmp_path / "cls" / "BRCA" / "mico", "cls", settings={"unit": "patient"})
    page = read(run_dir)
    assert "test patients" in page.rows("Metrics of the test patients")[0]
    assert verdict_of(page, "AUC").endswith(".")
    assert "60 patients" in page.text
    assert "60 test patients of 2 folds" in page.text
    assert not re.search(r"test slides?\b", page.text)


def test_the_recorded_cohort_is_shown(tmp_path: Path):
    part = {"cases": 30, "patients": 29, "slides": 41, "events": 12, "median_follow_up_months": 20.25}
    cohort = {"fold0": {"train": part, "val": part | {"median_follow_up_months": None}, "test": part}}
    run_dir = write_run(tmp_path / "surv" / "LUAD" / "mico", "surv", n_folds=1, cohort=cohort)
    rows = read(run_dir).rows("Cases and slides")
    assert rows[0] == {
        "fold": "0",
        "part": "training",
        "cases": "30",
        "patients": "29",
        "slides": "41",
        "deaths": "12",
        "median follow-up (months)": "20.2",
    }
    assert [row["median follow-up (months)"] for row in rows] == ["20.2", "not reached", "20.2"]


def test_the_recorded_classes_are_shown(tmp_path: Path):
    part = {"cases": 3, "slides": 4, "slides_per_class": {"IDC": 3, "ILC": 1}}
    cohort = {"fold1": {"train": part, "val": part, "test": part}}
    run_dir = write_run(tmp_path / "cls" / "BRCA" / "mico", "cls", n_folds=1, cohort=cohort)
    rows = read(run_dir).rows("Patients and slides")
    counts = {"patients": "3", "slides": "4", "slides of class IDC": "3", "slides of class ILC": "1"}
    assert rows[0] == {"fold": "1", "part": "training"} | counts


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("fold0/log.csv", "Left out: fold0/log.csv: column epoch is missing"),
        ("fold0/outcomes_train.csv", None),
        ("fold0/predictions_val.csv", "Left out: fold0/predictions_val.csv: "),
        (
            "fold0/explain/cases.csv",
            "Left out: fold0/explain/cases.csv: expected the columns case_id, slide_ids, reason",
        ),
        ("fold0/explain/anchors.csv", "Left out: fold0/explain/anchors.csv: "),
        ("fold0/explain/reducer_mixing.json", "Left out: fold0/explain/reducer_mixing.json: is no JSON text"),
        ("fold0/explain/P0000-S0/slide.json", "Left out: fold0/explain/P0000-S0/slide.json: is no JSON text"),
        ("fold0/explain/P0000-S0/attention.png", "Slide P0000-S0: P0000-S0/attention.png: is no picture"),
    ],
)
def test_a_damaged_optional_file_is_a_sentence(tmp_path: Path, name: str, said: str | None):
    run_dir = write_run(tmp_path / "surv" / "LUAD" / "mico", "surv")
    write_explanations(run_dir, size=(30, 20))
    (run_dir / name).write_text("nonsense\n1\n", encoding="utf-8")
    if said is None:  # the metrics come from this file as well
        with pytest.raises(UserError, match=r"outcomes_train\.csv: "):
            read(run_dir)
        assert not (run_dir / "report.html").exists()
        return
    assert said in read(run_dir).text
    assert str(tmp_path) not in (run_dir / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{}", "overall is no matrix"),
        ('{"overall": null}', "overall is no matrix"),
        ('{"overall": []}', "overall is no matrix"),
        ('{"overall": [[], []]}', "overall is no matrix"),
        ('{"overall": [1, 2]}', "overall is no matrix"),
        ('{"overall": [[1, "2"]]}', "overall is no matrix"),
        ('{"overall": [[1, null]]}', "overall is no matrix"),
        ('{"overall": [[1, true]]}', "overall is no matrix"),
        ('{"overall": [[1, NaN]]}', "overall is no matrix"),
        (f'{{"overall": [[1, 1{400 * "0"}]]}}', "overall is no matrix"),
        ('{"overall": [[1, 2], [3]]}', "overall is no matrix"),
        ("[1, 2]", "holds list, expected a JSON object"),
    ],
)
def test_a_mixing_that_is_no_matrix_is_left_out(tmp_path: Path, content: str, said: str):
    run_dir = write_run(tmp_path / "surv" / "LUAD" / "mico", "surv", n_folds=1)
    (write_explanations(run_dir, size=(30, 20)) / "reducer_mixing.json").write_text(content, encoding="utf-8")
    page = read(run_dir)
    assert f"Left out: fold0/explain/reducer_mixing.json: {said}" in page.text
    assert len(page.rows("Anchors of fold 0")) == 8


def test_a_damaged_prediction_file_is_an_error(tmp_path: Path):
    run_dir = write_run(tmp_path / "surv" / "LUAD" / "mico", "surv")
    (run_dir / "fold0" / "predictions_test.csv").write_text("case_id\n", encoding="utf-8")
    with pytest.raises(UserError, match="holds no row below its header"):
        read(run_dir)
    assert not (run_dir / "report.html").exists()


def test_the_extreme_cases_of_a_fold():
    table = _cases("c", (0.1, 0.45, 0.7, 0.95))
    table["slide_ids"] = "slide " + table["case_id"]
    np.testing.assert_allclose(certainty(table), [0.9, 0.55, 0.7, 0.95])
    rows = extreme_cases({3: table}).rows
    assert [(*(cell.text for cell in row[:5]), row[6].text) for row in rows] == [
        ("c-3", "slide c-3", "3", "most certain", "0.950", "class 1 (0.95), right"),
        ("c-0", "slide c-0", "3", "most certain", "0.900", "class 0 (0.90), right"),
        ("c-2", "slide c-2", "3", "most certain", "0.700", "class 1 (0.70), right"),
        ("c-1", "slide c-1", "3", "least certain", "0.550", "class 0 (0.55), right"),
    ]
    assert len(extreme_cases({0: table.head(1)}).rows) == 1


def test_certainty_in_survival_is_the_distance_from_the_median_risk():
    (table,) = survival_folds((1.0, 5.0, 2.0)).values()
    assert certainty(table).tolist() == [1.0, 3.0, 0.0]
    rows = extreme_cases({0: table}).rows
    assert rows[0][4].text == "died after 2.0 months"
    assert [row[5].text for row in rows] == [
        "risk 5.000, above the fold's median of 2.000",
        "risk 1.000, below the fold's median of 2.000",
        "risk 2.000, the fold's median",
    ]


def test_without_explanations_the_way_to_them_is_told(tmp_path: Path):
    page = read(write_run(tmp_path / "cls" / "BRCA" / "mico", "cls"))
    assert HOW_TO_EXPLAIN in page.text
    assert len(page.rows("Most and least certain")) == 12
    assert page.pictures == []


def test_explanations_are_shown(tmp_path: Path):
    run_dir = write_run(tmp_path / "cls" / "BRCA" / "mico", "cls")
    place = write_explanations(run_dir, fold=1, size=(60, 40))
    gradient((50, 50)).save(place / "P1000-S0" / "overlay.png")
    page = read(run_dir)
    assert page.pictures == [
        "attention over the slide, slide P1000-S0",
        *(
            f"{what}, slide {slide}"
            for slide in ("P1000-S0", "P1001-S0")
            for what in ("attention", "anchor of each patch")
        ),
    ]
    predicted = read_predictions(run_dir / "fold1" / "predictions_test.csv").iloc[0]
    assert {"P1000, slide P1000-S0", "P1001, slide P1001-S0"} <= set(page.text.splitlines())
    assert "Fold 1: 3 explained slides" in page.text.splitlines()
    told = verdict_of(page, "most certain; certainty 0.750; ").split("; ")
    assert told[2] == f"outcome: class {predicted['label']}"
    assert told[3].startswith(f"prediction: class {predicted['prediction']} (")
    assert "Slide P1002-S0: The features have no coordinates." in page.text
    assert all(note in page.text for note in READING_NOTES)
    anchors = page.rows("Anchors of fold 1")
    assert len(anchors) == 8
    assert anchors[-1]["note"] == "nearest to no patch"
    assert anchors[-1]["auc 1"] == "–"


def test_a_reason_of_all_slides_is_said_once(tmp_path: Path):
    run_dir = write_run(tmp_path / "surv" / "LUAD" / "mico", "surv", n_folds=1)
    place = write_explanations(run_dir, size=(30, 20))
    facts = {path: json.loads(path.read_text()) | {"no_map": "no map, since x"} for path in place.glob("*/slide.json")}
    for path, content in facts.items():
        path.write_text(json.dumps(content), encoding="utf-8")
    page = read(run_dir)
    assert page.text.count("no map, since x") == 1
    assert "All of these slides: no map, since x." in page.text.splitlines()
    other = next(iter(facts))
    other.write_text(json.dumps(facts[other] | {"no_map": "no map, since y"}), encoding="utf-8")
    text = read(run_dir).text
    assert text.count("no map, since x") == len(facts) - 1 > 1
    assert f"Slide {other.parent.name}: no map, since y" in text.splitlines()


def test_a_size_of_patches_in_doubt_is_said_on_the_page(tmp_path: Path):
    run_dir = write_run(tmp_path / "surv" / "LUAD" / "mico", "surv", n_folds=1)
    place = write_explanations(run_dir, size=(30, 20))
    facts = {path: json.loads(path.read_text()) for path in place.glob("*/slide.json")}
    doubt = "the size of a patch is taken from their spacing (256 apart)"
    one, *others = facts
    one.write_text(json.dumps(facts[one] | {"patch_size_doubt": doubt}), encoding="utf-8")
    assert f"Slide {one.parent.name}: {doubt}" in read(run_dir).text.splitlines()
    for path in others:
        path.write_text(json.dumps(facts[path] | {"patch_size_doubt": doubt}), encoding="utf-8")
    text = read(run_dir).text
    assert text.count(doubt) == 1
    assert f"All of these slides: {doubt}." in text.splitlines()


def test_slide_anchors_have_no_table_over_slides(tmp_path: Path):
    run_dir = write_run(tmp_path / "cls" / "BRCA" / "mico", "cls")
    place = write_explanations(run_dir, size=(30, 20))
    (place / "anchors.csv").write_text("damaged", encoding="utf-8")
    assert "The table of the anchors is damaged: see the warnings." in read(run_dir).text.splitlines()
    (place / "anchors.csv").unlink()
    page = read(run_dir)
    assert "With slide anchors, each slide has anchors of its own: there is no table" in page.text
    assert "Not explained yet" not in page.text


def test_a_slide_that_is_no_name_of_a_folder_is_refused(tmp_path: Path):
    run_dir = write_run(tmp_path / "cls" / "BRCA" / "mico", "cls")
    place = write_explanations(run_dir)
    (place / "cases.csv").write_text("case_id,slide_ids,reason,certainty\nP,../../x,chosen,0.5\n", encoding="utf-8")
    assert "slide '../../x' of case P is no name of a folder" in read(run_dir).text


def test_models_without_anchors_have_no_section_of_anchors(tmp_path: Path):
    page = read(write_run(tmp_path / "cls" / "BRCA" / "abmil", "cls", model="abmil"))
    assert "Anchors" not in page.text.splitlines()


def test_predictions_beyond_500_are_cut_and_said():
    one = _cases("c", (0.1, 0.2, 0.7, 0.9))
    many = pd.concat([one] * 100, ignore_index=True)
    table = prediction_table({0: many, 1: many})
    assert len(table.rows) == 500
    assert table.notes == ("The first 500 of 800; all are in fold*/predictions_test.csv.",)
    assert prediction_table({0: many}).notes == ()
    assert [cell.text for cell in table.rows[0]] == ["c-0", "c-0", "0", "0", "0", "0.900", "0.100"]


def test_settings_and_provenance_are_shown(tmp_path: Path):
    call = {"started": "2026-01-02T00:00:00", "folds": [1], "git": {"commit": "abc", "modified": True}}
    calls = [call, call | {"settings": {"stage": "explain"}}]
    record = {"git": {"commit": "0123", "modified": False}, "resumed": calls, "settings": {"lr": 2e-4, "ablate": None}}
    page = read(write_run(tmp_path / "cls" / "BRCA" / "mico", "cls", **record))
    assert page.rows("Options of main.py") == [
        {"option": "lr", "value": "0.0002"},
        {"option": "ablate", "value": "none"},
    ]
    assert {"what": "split file", "fold or file": "fold1.csv", "SHA-256": "sha-1"} in page.rows("SHA-256")
    later = page.rows("Later calls")
    assert [row["stage"] for row in later] == ["not recorded", "explain"]
    assert later[0]["git commit"] == "git commit abc, with files changed since"
    assert "--resume" not in page.text
    assert "Code: git commit 0123." in page.text


def test_names_of_a_data_set_do_not_run(tmp_path: Path):
    run_dir = write_run(tmp_path / "cls" / "BRCA" / "mico", "cls", dataset="<script>alert(1)</script>")
    table = read_predictions(run_dir / "fold0" / "predictions_test.csv")
    table.loc[0, "case_id"] = "<img src=x onerror=alert(1)>"
    write_predictions(run_dir / "fold0" / "predictions_test.csv", table)
    page = read(run_dir)
    assert page.scripts == 1
    assert page.pictures == []
    assert "<script>alert(1)</script>: mico (released)" in page.text.splitlines()


def test_it_is_fast_and_touches_nothing_of_the_run(tmp_path: Path):
    run_dir = write_run(tmp_path / "surv" / "LUAD" / "mico", "surv", n_folds=4, n_cases=100)
    write_run_report(run_dir)
    assert json.loads((run_dir / "run.json").read_text())["task"] == "surv"  # nothing of the run is touched
    assert sorted(file.name for file in run_dir.iterdir()) == [
        "fold0",
        "fold1",
        "fold2",
        "fold3",
        "report.html",
        "run.json",
    ]


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
