from __future__ import annotations

from pathlib import Path

import pytest

from utils.paper.cells import Cell, cell_note, cell_of, cell_text, mean_over_cohorts, undefined_text
from utils.paper.planned_results import PlannedResult
from utils.runs.run_plan import PlannedRun


def _run(seed: int, values: dict[int, float | None] | None, reason: str = "no events") -> PlannedResult:
    """A run with these values per fold; None: no results."""
    planned = PlannedRun("surv", "A", "mico", "released", "", 64, seed, f"run{seed}", Path(f"run{seed}"), 2)
    if values is None:
        return PlannedResult(planned, None, None)
    rows = [
        {"fold": fold, "c_index": value, "reasons": {} if value is not None else {"c_index": reason}}
        | {"n_test": 10 + fold, "n_events": 4 - fold}
        for fold, value in values.items()
    ]
    return PlannedResult(planned, {}, {"folds": rows, "unit": "case"})


def _cell(*runs: PlannedResult, n_folds: int = 2) -> Cell:
    return cell_of(runs, "c_index", n_folds)


def test_a_mean_over_seeds_then_folds():
    # fold 0: (0.6 + 0.8) / 2 = 0.7, fold 1: (0.5 + 0.5) / 2 = 0.5: mean 0.6, deviation sqrt((0.1^2 + 0.1^2) / 2) = 0.1.
    cell = _cell(_run(1, {0: 0.6, 1: 0.5}), _run(2, {0: 0.8, 1: 0.5}))
    assert (cell.mean, cell.std) == (pytest.approx(0.6), pytest.approx(0.1))
    assert (cell.n_folds, cell.n_folds_planned, cell.n_seeds, cell.n_seeds_planned) == (2, 2, 2, 2)
    assert (cell.n_trainings, cell.n_tested, cell.reasons, cell.run_dirs) == (4, 4, {}, ("run1", "run2"))
    assert cell.is_complete
    assert (cell_text(cell), cell_note(cell)) == ("0.600 ± 0.100", "")
    assert cell_text(cell, always_folds=True) == "0.600 ± 0.100 (2 of 2 folds)"


def test_folds_weigh_the_same_however_many_seeds_they_have():
    # fold 0: (0.6 + 0.8) / 2 = 0.7, fold 1: 0.3: mean 0.5 (not 1.7 / 3), deviation 0.2.
    cell = _cell(_run(1, {0: 0.6, 1: 0.3}), _run(2, {0: 0.8}))
    assert (cell.mean, cell.std) == (pytest.approx(0.5), pytest.approx(0.2))
    assert cell_text(cell) == "0.500 ± 0.200 (3 of 4 trainings)"
    assert cell.has_all_folds
    assert not cell.is_complete


@pytest.mark.parametrize(
    ("runs", "n_folds", "text"),
    [
        ([], 2, "not planned"),
        ([_run(1, None)], 2, "missing"),
        ([_run(1, None)], 0, "missing"),
        ([_run(1, {0: 0.5})], 1, "0.500"),
        ([_run(1, {0: 0.5})], 2, "0.500 (1 of 2 folds, 10 cases, 4 deaths)"),
        ([_run(1, {0: 0.5, 1: 0.7}), _run(2, None)], 2, "0.600 ± 0.100 (1 of 2 seeds)"),
        ([_run(1, {0: 0.5}), _run(2, None)], 2, "0.500 (1 of 2 folds, 10 cases, 4 deaths, 1 of 2 seeds)"),
        ([_run(1, {0: 0.5}), _run(2, {1: 0.7})], 2, "0.600 ± 0.100 (2 of 4 trainings)"),
    ],
)
def test_what_is_missing_is_said_and_never_zero(runs: list[PlannedResult], n_folds: int, text: str):
    cell = _cell(*runs, n_folds=n_folds)
    assert cell_text(cell) == text
    note = text if cell.mean is None else text.partition(" (")[2].removesuffix(")").replace("deaths, ", "deaths; ")
    assert cell_note(cell) == note
    assert cell.is_complete == (text == "0.500")


def test_an_undefined_metric():
    none = _cell(_run(1, {0: None, 1: None}))
    assert (none.mean, none.std, none.n_folds) == (None, None, 0)
    assert undefined_text(none) == cell_note(none) == "undefined in folds 0 and 1 (no events)"
    assert cell_text(none, note=3) == "undefined (note 3)"
    part = _cell(_run(1, {0: 0.5, 1: None}), _run(2, {0: 0.7, 1: None}))
    assert undefined_text(part) == "undefined in fold 1 (no events)"
    assert cell_text(part, note=1) == "0.600 (1 of 2 folds, 10 cases, 4 deaths, note 1)"
    assert cell_note(part) == "1 of 2 folds, 10 cases, 4 deaths; undefined in fold 1 (no events)"
    assert not part.has_all_folds
    # Of the folds that define the metric with any seed: 10 + 11 cases, not 10 + 11 + 11; 4 + 3 deaths.
    seeds = _cell(_run(1, {0: 0.5, 1: 0.6}), _run(2, {1: 0.6, 2: None}), n_folds=3)
    assert cell_text(seeds) == "0.550 ± 0.050 (2 of 3 folds, 21 cases, 7 deaths, 3 of 4 trainings)"
    two = _cell(_run(1, {0: None, 1: 0.5}, "a"), _run(2, {0: 0.5, 1: None}, "b"))
    assert undefined_text(two) == "undefined in fold 0 (a), in fold 1 (b)"


def test_the_mean_over_cohorts_needs_all_folds():
    whole, other = _cell(_run(1, {0: 0.5, 1: 0.7})), _cell(_run(1, {0: 0.8, 1: 0.8}))
    few_seeds = _cell(_run(1, {0: 0.9, 1: 0.9}), _run(2, None))
    part, missing = _cell(_run(1, {0: 0.5})), _cell(_run(1, None))
    assert mean_over_cohorts({"A": whole, "B": other}) == (pytest.approx(0.7), [])
    assert mean_over_cohorts({"A": whole, "B": few_seeds}) == (pytest.approx(0.75), [])
    assert mean_over_cohorts({"A": whole, "B": part, "C": missing, "D": _cell()}) == (None, ["B", "C", "D"])
    assert mean_over_cohorts({}) == (None, [])
