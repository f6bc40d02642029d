from __future__ import annotations

from pathlib import Path

import pytest

from tests.utils.report.page_reader import PageReader
from tests.utils.tables.cohort_folders import classification_folder, survival_folder
from utils.report.validation_page import write_validation_report
from utils.runs.predictions import read_predictions, write_predictions
from utils.tables.row_notes import RowNotes
from utils.tables.validation import validate
from utils.tables.validation_text import methods, metric_rows, patient_rows


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (classification_folder, ("slides of class malignant", "ROC, malignant (class 1) against benign (class 0)")),
        (
            survival_folder,
            ("Survival of the groups that the cut-off makes", "log-rank test of the cases at or above the cut-off"),
        ),
    ],
)
def test_the_page_shows_the_numbers_of_the_summary(tmp_path: Path, make, words):
    folder = make(tmp_path)
    text = write_validation_report(folder, n_resamples=40).read_text()
    summary = validate(folder)
    metric = "auc" if summary["task"] == "cls" else "c_index"
    measured = summary["ensemble"]["intervals"][metric]
    assert f"of the ensemble of 2 folds {measured['value']:.3f}" in text
    assert f"{measured['low']:.3f} to {measured['high']:.3f}" in text
    for row in summary["folds"]:
        assert f"{row[metric]:.3f}" in text
    for word in (*words, "a note", "a warning", "External validation of a"):
        assert word in text


@pytest.mark.parametrize("make", [classification_folder, survival_folder])
def test_its_table_is_that_of_the_summary(tmp_path: Path, make):
    folder = make(tmp_path)
    page = PageReader(write_validation_report(folder, n_resamples=20).read_text(encoding="utf-8"))
    summary, notes = validate(folder), RowNotes()
    header, *rows = metric_rows(summary, notes)
    assert [list(row.values()) for row in page.rows("Metrics of the cohort")] == rows
    assert list(page.rows("Metrics of the cohort")[0]) == header
    assert {*methods(summary)} <= {*page.text.splitlines()}
    if summary["task"] == "cls":
        (of_patients,) = page.rows("Metrics of the patients")
        assert list(of_patients.values()) == patient_rows(summary["by_patient"])[1]
    else:
        first = summary["folds"][0]
        limits = f"{first['c_index_low']:.3f}–{first['c_index_high']:.3f}"
        assert f"{first['c_index']:.3f} ({limits})" in page.text  # of the forest chart


def test_one_group_is_said(tmp_path: Path):
    text = write_validation_report(survival_folder(tmp_path, cut_off=100.0), n_resamples=20).read_text()
    assert "No curve: the risk of every case is below the cut-off of the training cases, 100." in text


def test_an_ensemble_worse_than_chance_is_said_in_the_verdict(tmp_path: Path):
    folder = survival_folder(tmp_path)
    for path in folder.glob("predictions*.csv"):
        table = read_predictions(path)
        write_predictions(path, table.assign(risk=-table["risk"]))
    text = write_validation_report(folder, n_resamples=40).read_text()
    assert "This is worse than chance: the 95 % interval of the C-index lies below 0.5" in text
