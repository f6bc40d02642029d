from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.utils.explain.anchor_tables import classes_of_cases, random_counts, shares_of, survival_of
from tests.utils.run_folders import cells
from utils.explain.anchor_statistics import anchor_statistics
from utils.explain.anchor_text import READING_NOTES, anchor_text
from utils.runs.class_words import ClassWords


def _table(**columns: list) -> pd.DataFrame:
    base = {"anchor": [0, 1, 2], "n_patches": [1500, 0, 3000], "share": [1 / 3, 0, 2 / 3], "n_cases": [2, 0, 3]}
    return pd.DataFrame(base | {"mean_attention": [0.5, np.nan, 1.25]} | columns)


def test_a_survival_fold_word_for_word():
    statistics = _table(
        log_hazard=[np.log(2), np.nan, 0.0],
        log_hazard_low=[np.log(0.5), np.nan, np.log(0.25)],
        log_hazard_high=[np.log(8), np.nan, np.log(4)],
        p=[0.0312, np.nan, 1.0],
        p_holm=[0.0624, np.nan, 1.0],
        note=["in 2 cases only", "nearest to no patch", ""],
    )
    text = anchor_text(statistics, survival_of(np.array([1.0, 2, 3]), np.array([1, 0, 1])), "BLCA, fold 0")
    assert text.startswith("# BLCA, fold 0: anchors\n\n3 test cases (2 deaths), 4,500 patches, 3 anchors.\n")
    assert cells(text) == [
        ["anchor", "patches", "share", "cases", "attention", "log hazard per SD (95 %)", "p", "p (Holm)", "note"],
        ["2", "3,000", "66.7 %", "3 of 3", "1.25", "0.00 (-1.39 to 1.39)", "1.000", "1.000", ""],
        ["0", "1,500", "33.3 %", "2 of 3", "0.50", "0.69 (-0.69 to 2.08)", "0.031", "0.062", "in 2 cases only"],
    ]
    assert "Nearest to no patch: 1." in text
    assert "Log hazard per standard deviation" in text
    assert text.endswith("\n".join(f"- {note}" for note in READING_NOTES) + "\n")


def test_two_classes_word_for_word():
    statistics = _table(
        auc_1=[1.0, np.nan, 0.71234],
        auc_1_low=[np.nan, np.nan, 0.5],
        auc_1_high=[np.nan, np.nan, 0.9],
        p_1=[0.0667, np.nan, 0.0001],
        p_1_holm=[0.0667, np.nan, 0.0002],
        note=["class 1: no interval", "nearest to no patch", ""],
    )
    text = anchor_text(statistics, classes_of_cases(np.array([0, 1, 0]), 2), "BRCA, fold 1")
    assert "3 test cases (2 of class 0, 1 of class 1)" in text
    assert cells(text)[0][5:] == ["AUC class 1 (95 %)", "p class 1", "p class 1 (Holm)", "note"]
    assert [row[5:] for row in cells(text)[1:]] == [
        ["0.71 (0.50 to 0.90)", "<0.001", "<0.001", ""],
        ["1.00", "0.067", "0.067", "class 1: no interval"],
    ]
    assert "AUC of the share" in text


@pytest.mark.parametrize("n_classes", [3, 5])
def test_more_classes_have_columns_each_and_without_notes_there_is_no_column_of_them(n_classes: int):
    predictions = classes_of_cases(np.arange(40) % n_classes, n_classes)
    statistics = anchor_statistics(shares_of(random_counts(40, 3, seed=0) + 1), predictions)
    assert (statistics["note"] == "").all()
    header, *rows = cells(anchor_text(statistics, predictions, "title"))
    assert header[5:] == [
        name for c in range(n_classes) for name in (f"AUC class {c} (95 %)", f"p class {c}", f"p class {c} (Holm)")
    ]
    assert len(rows) == 3


def test_rare_anchors_and_a_fold_without_events():
    counts = np.full((3, 2), 4000)
    counts[:, 1] = [1, 2, 3]
    predictions = survival_of(np.array([1.0, 2, 3]), np.zeros(3))
    rows = cells(anchor_text(anchor_statistics(shares_of(counts), predictions), predictions, "title"))
    assert rows[2] == ["1", "6", "<0.1 %", "3 of 3", "1.00", "–", "–", "–", "no events"]


def test_a_hazard_that_is_hardly_known():
    values = {"log_hazard": [40.0] * 3, "log_hazard_low": [-900.0] * 3, "log_hazard_high": [900.0] * 3}
    statistics = _table(**values, p=[0.9] * 3, p_holm=[1.0] * 3, note=[""] * 3)
    text = anchor_text(statistics, survival_of(np.array([1.0, 2, 3]), np.array([1, 0, 1])), "title")
    assert cells(text)[1][5] == "40.00 (-900.00 to 900.00)"


def test_the_notes_name_what_must_not_be_read_into_attention():
    assert any("Jain and Wallace" in note for note in READING_NOTES)
    assert all(note == " ".join(note.split()) and note.endswith(".") for note in READING_NOTES)


def test_classes_have_their_names():
    statistics = _table(
        auc_1=[0.75, np.nan, 0.5], auc_1_low=[0.5, np.nan, 0.25], auc_1_high=[0.9, np.nan, 0.75],
        p_1=[0.5, np.nan, 1.0], p_1_holm=[1.0, np.nan, 1.0], note=["class 1: no interval", "nearest to no patch", ""],
    )  # fmt: skip
    predictions = classes_of_cases(np.array([0, 1, 1]), 2)
    text = anchor_text(statistics, predictions, "BRCA, fold 0", ClassWords(("benign", "malignant")))
    assert "3 test cases (1 of benign (class 0), 2 of malignant (class 1))" in text
    header, first, second = cells(text)
    assert header[5:] == ["AUC malignant (95 %)", "p malignant", "p malignant (Holm)", "note"]
    assert [row[-1] for row in (first, second)] == ["", "malignant (class 1): no interval"]
