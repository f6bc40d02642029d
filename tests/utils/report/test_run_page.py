from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from tests.utils.report.report_folders import write_explanations, write_run
from tests.utils.report.run_pages import four_slides, read, slides_of_one_class, verdict_of
from tests.utils.run_folders import (
    Plan,
)
from utils.errors import UserError
from utils.report.run_page import write_run_report
from utils.report.sections.case_tables import prediction_table
from utils.runs.predictions import read_predictions, write_predictions


def test_warnings_missing_folds_and_undefined_metrics_come_first(tmp_path: Path):
    folds = {0: slides_of_one_class(), 2: four_slides("b", (0.1, 0.2, 0.7, 0.9))}
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


def test_a_damaged_prediction_file_is_an_error(tmp_path: Path):
    run_dir = write_run(tmp_path / "surv" / "LUAD" / "mico", "surv")
    (run_dir / "fold0" / "predictions_test.csv").write_text("case_id\n", encoding="utf-8")
    with pytest.raises(UserError, match="holds no row below its header"):
        read(run_dir)
    assert not (run_dir / "report.html").exists()


def test_predictions_beyond_500_are_cut_and_said():
    one = four_slides("c", (0.1, 0.2, 0.7, 0.9))
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
