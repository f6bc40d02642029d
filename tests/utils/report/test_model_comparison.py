from __future__ import annotations

from pathlib import Path

import pytest

from tests.utils.report.report_folders import write_run
from utils.report.run_results import RunResults, read_results
from utils.report.sections.model_comparison import (
    difference_table,
    differences,
    model_forest,
    reference_pools,
    split_difference,
)
from utils.report.seed_pools import SeedPool, seed_pools

N_RESAMPLES = 60


def loaded(root: Path, name: str, **record: object) -> RunResults:
    return read_results(write_run(root / "surv" / "LUAD" / name, "surv", **record), n_resamples=10)


def alone(*runs: RunResults) -> list[SeedPool]:
    """Each run for itself."""
    return [SeedPool((run,)) for run in runs]


def test_the_reference_is_the_whole_mico_in_the_released_form(tmp_path: Path):
    (paper,) = alone(loaded(tmp_path, "a", formulation="paper"))
    released, usual = alone(loaded(tmp_path, "d"), loaded(tmp_path, "mico_released"))
    (ablated,) = alone(loaded(tmp_path, "b", settings={"ablate": ["route"]}))
    (other,) = alone(loaded(tmp_path, "c", model="abmil"))
    assert reference_pools([paper, ablated, released, other, usual]) == [usual, released]
    assert reference_pools([paper, ablated, other]) == [paper]
    assert reference_pools([ablated, other]) == []


def test_runs_are_compared_with_the_mico_of_their_seed(tmp_path: Path):
    micos = alone(*(loaded(tmp_path, name, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))))
    others = alone(*(loaded(tmp_path, f"abmil_{seed}", model="abmil", noise=3, seed=seed) for seed in (1, 2, 3)))
    compared = differences([*micos, *others])
    assert [(one.ours.name, one.other.name) for one in compared] == [
        ("a", "b"),
        ("a", "abmil_1"),
        ("c", "abmil_2"),
        ("a", "abmil_3"),
    ]
    assert compared[0].result is not None
    assert compared[0].result.difference == 0
    assert [one.result is None for one in compared] == [False, False, False, True]
    assert compared[3].reason == "no mico (released) run of its seed 3"


def test_the_reference_and_the_reason_for_it_are_said(tmp_path: Path):
    usual, other, ablated = alone(
        loaded(tmp_path, "mico_released"),
        loaded(tmp_path, "a_second"),
        loaded(tmp_path, "b", settings={"ablate": ["route"]}),
    )
    table = difference_table(differences([usual, other, ablated]))
    assert table.caption == "C-index of mico_released minus C-index of the others, on the same test cases"
    assert table.notes[0] == (
        "Reference: mico_released (seed 7): MiCo without ablation, form released. Of several such runs of a seed it is "
        "the one named mico_released, as main.py names them, else the first by name."
    )
    again, abmil = alone(loaded(tmp_path, "c", seed=8), loaded(tmp_path, "d", seed=8, model="abmil", noise=2))
    table = difference_table(differences([usual, other, again, abmil]))
    assert table.caption.startswith("C-index of the MiCo run of the same seed minus")
    assert table.notes[0].startswith("Reference: mico_released (seed 7); c (seed 8): MiCo without ablation")
    assert [cells[-1].text.rpartition("; ")[2] for cells in table.rows] == ["mico_released", "c"]


def test_runs_of_fewer_folds_are_named_below_the_forest(tmp_path: Path):
    whole, part = alone(loaded(tmp_path, "a", n_folds=3), loaded(tmp_path, "b", model="abmil", n_folds=1))
    assert model_forest([whole, part], whole).note == "With fewer folds: b (1 of 3 folds)."
    assert model_forest([whole], whole).note == ""


@pytest.mark.parametrize(
    "record",
    [
        {"seed": 1},
        {"settings": {"lr": 0.1}},
        {"splits": {"fold0.csv": "other"}},
        {"anchors": {"fold0": "other"}},
        {"formulation": "paper"},
        {"feature_norm": "zscore"},
        {"dim_in": 512},
        {"features": {"fold0": "f0", "fold1": "other"}},
    ],
)
def test_runs_that_differ_otherwise_stand_alone(tmp_path: Path, record: dict):
    features = {"dim_in": 1024, "features": {"fold0": "f0", "fold1": "f1"}}
    first = loaded(tmp_path, "a", seed=1, **features)
    other = loaded(tmp_path, "b", **({"seed": 2} | features | record))
    assert [pool.seeds for pool in seed_pools([first, other])] == [(1,), (record.get("seed", 2),)]
    elsewhere = {"lr": 0.0002, "results_dir": "elsewhere", "features_dir": ["copied"], "stage": "test"}
    again = loaded(tmp_path, "c", seed=3, settings=elsewhere, **features)
    assert [len(pool.runs) for pool in seed_pools([first, other, again])] == [2, 1]


def test_splits_differ_only_where_both_have_the_fold(tmp_path: Path):
    one, more = loaded(tmp_path, "a", n_folds=1), loaded(tmp_path, "b")
    other = loaded(tmp_path, "c", splits={"fold0.csv": "x", "fold1.csv": "sha-1"})
    assert split_difference(one, more) == ""
    assert split_difference(more, other) == "not comparable: other splits (fold0.csv differs)"
