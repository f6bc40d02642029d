from __future__ import annotations

from pathlib import Path

import pytest

from tests.utils.tables.cohort_folders import classification_folder, survival_folder
from utils.report.validation_page import write_validation_report
from utils.tables.validation import validate


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (classification_folder, ("slides of class malignant", "ROC, malignant (class 1) against benign (class 0)")),
        (
            survival_folder,
            ("Survival of the groups that the cut-off makes", "between the cases at or above the cut-off"),
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


def test_one_group_is_said(tmp_path: Path):
    text = write_validation_report(survival_folder(tmp_path, cut_off=100.0), n_resamples=20).read_text()
    assert "No curve: the risk of every case is below the cut-off of the training cases, 100." in text
