from __future__ import annotations

from pathlib import Path

import pytest

from tests.utils.run_folders import C_0, C_1, C_1_2, C_2_3, Plan, survival_fold, survival_folds
from utils.paper.grids import (
    CSV_COLUMNS,
    ColumnGroup,
    Entry,
    Footnotes,
    TableRow,
    best_entries,
    csv_line,
    group_entries,
)
from utils.paper.planned_results import PlannedResults, Variant, load_results

MICO, ABMIL = Variant("mico", "released"), Variant("abmil", "none")
SURVIVAL = ColumnGroup("surv", ("c_index",), has_mean=True, published="published mean")


@pytest.fixture
def results(tmp_path: Path) -> PlannedResults:
    """MiCo has all of A and B; ABMIL has no fold 1 of A and a B without events in fold 0."""
    plan = Plan(tmp_path)
    plan.add("surv", "A", survival_folds(C_1, C_1_2))
    plan.add("surv", "A", survival_folds(C_2_3), model="abmil")
    plan.add("surv", "B", survival_folds(C_2_3, C_2_3), k=32)
    tables = {0: survival_fold(C_1, event=(0, 0, 0)), 1: survival_fold(C_0)}
    plan.add("surv", "B", tables, model="abmil", k=32)
    return load_results(plan.path)


def test_the_entries_of_a_complete_row(results: PlannedResults):
    notes = Footnotes()
    first, second, mean, published = group_entries(results, SURVIVAL, MICO, notes)
    assert SURVIVAL.headers(results) == ["A C-index", "B C-index", "mean C-index", "published mean C-index"]
    # A: (1 + 1/2) / 2 = 0.75 with deviation 0.25; B: 2/3 twice; their mean (3/4 + 2/3) / 2 = 17/24.
    assert [entry.text for entry in (first, second, mean, published)] == [
        "0.750 ± 0.250",
        "0.667 ± 0.000",
        "0.708",
        "0.680",
    ]
    assert [entry.score for entry in (first, second, mean, published)] == [0.75, 0.667, 0.708, None]
    assert notes.lines() == ()
    assert tuple(first.csv) == CSV_COLUMNS
    assert list(first.csv.values()) == [
        "surv",
        "A",
        "mico",
        "released",
        "",
        "64",
        "c_index",
        "0.75",
        "0.25",
        "2",
        "2",
        "1",
        "1",
        "",
        "",
        "surv_A_mico_released_64_1",
    ]
    assert (second.csv["n_clusters"], second.csv["dataset"]) == ("32", "B")
    assert (mean.csv["dataset"], mean.csv["std"], mean.csv["n_folds"]) == ("mean", "", "")
    assert float(mean.csv["mean"]) == pytest.approx(17 / 24)
    assert mean.csv["n_clusters"] == ""  # the cohorts differ
    assert (mean.csv["published"], published.csv["published"], published.csv["mean"]) == ("0.68", "0.68", "")
    assert mean.csv["run_dirs"] == "surv_A_mico_released_64_1;surv_B_mico_released_32_1"


def test_the_entries_of_a_row_with_gaps(results: PlannedResults):
    notes = Footnotes()
    first, second, mean, published = group_entries(results, SURVIVAL, ABMIL, notes)
    assert [entry.text for entry in (first, second, mean, published)] == [
        "0.667 (1 of 2 folds, 3 cases, 3 deaths)",
        "0.000 (1 of 2 folds, 3 cases, 3 deaths, note 1)",
        "incomplete",
        "0.642",
    ]
    assert [entry.score for entry in (first, second, mean)] == [None, None, None]
    assert notes.lines() == (
        "note 1: B, C-index: undefined in fold 0 (no events)",
        "mean C-index of ABMIL: incomplete, A and B lack folds",
    )
    part = "1 of 2 folds, 3 cases, 3 deaths"
    assert (first.csv["note"], first.csv["n_folds"], first.csv["n_folds_planned"]) == (part, "1", "2")
    assert second.csv["note"] == f"{part}; undefined in fold 0 (no events)"
    assert (mean.csv["mean"], mean.csv["note"]) == ("", "incomplete: A and B lack folds")
    assert (first.csv["n_clusters"], second.csv["n_clusters"]) == ("", "")  # ABMIL has no anchors


def test_a_row_that_the_plan_does_not_have(results: PlannedResults):
    first, second, mean, published = group_entries(results, SURVIVAL, Variant("newmil", "none"), Footnotes())
    assert [entry.text for entry in (first, second, mean, published)] == [
        "not planned",
        "not planned",
        "not planned",
        "not known here",
    ]
    assert (first.csv["mean"], first.csv["n_seeds_planned"], first.csv["note"]) == ("", "0", "not planned")
    assert (published.csv["published"], published.csv["note"]) == ("", "not known here")


def test_a_mean_with_missing_seeds_is_marked(tmp_path: Path):
    plan = Plan(tmp_path)
    plan.add("surv", "A", survival_folds(C_1, C_1_2))
    plan.add("surv", "A", None, seed=2)
    entries = group_entries(load_results(plan.path), SURVIVAL, MICO, Footnotes())
    assert [entry.text for entry in entries] == ["0.750 ± 0.250 (1 of 2 seeds)", "0.750 (seeds missing)", "0.680"]
    assert entries[1].score is None


def test_no_cohort_no_columns(results: PlannedResults):
    columns = ColumnGroup("cls", ("auc",), has_mean=True, published="published")
    assert columns.headers(results) == []
    assert group_entries(results, columns, MICO, Footnotes()) == []


def test_another_number_of_anchors(results: PlannedResults):
    texts = [entry.text for entry in group_entries(results, SURVIVAL, MICO, Footnotes(), n_clusters=32)]
    assert texts == ["not planned", "0.667 ± 0.000", "incomplete", "0.680"]
    assert csv_line(results, "surv", "mean", MICO, "c_index", 32)["n_clusters"] == "32"


def test_equal_footnotes_share_a_number():
    notes = Footnotes()
    assert [notes.number(text) for text in ("a", "b", "a")] == [1, 2, 1]
    notes.remarks.append("c")
    assert notes.lines() == ("note 1: a", "note 2: b", "c")


def _row(*scores: float | None, group: str = "") -> TableRow:
    return TableRow(("",), tuple(Entry("", score, {}) for score in scores), group)


def test_the_best_of_a_column():
    rows = [_row(0.7, 0.6, None, 0.5), _row(0.7, None, 0.1, None), _row(0.6, 0.61, None, None)]
    # A tie has two best ones; an entry that is alone in its column has nothing to be better than.
    assert best_entries(rows) == [
        [True, False, False, False],
        [True, False, False, False],
        [False, True, False, False],
    ]
    grouped = [_row(0.7, group="A"), _row(0.6, group="A"), _row(0.2, group="B"), _row(0.1, group="B")]
    assert best_entries(grouped) == [[True], [False], [True], [False]]
    assert best_entries([]) == []
