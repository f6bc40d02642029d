from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.utils.paper.test_text import latex_rows
from tests.utils.run_folders import C_1, RIGHT, Plan, cells, classification_fold, survival_fold, survival_folds
from utils.paper.comparisons import CSV_COLUMNS, compare_models, comparison_files
from utils.paper.planned_results import load_results
from utils.runs.predictions import classification_table, survival_table
from utils.statistics.paired_difference import paired_difference


def _survival(fold: int, noise: float, seed: int) -> pd.DataFrame:
    """30 cases whose risk is the truth plus noise; the outcomes depend on the fold alone."""
    outcomes, rng = np.random.default_rng(fold), np.random.default_rng([fold, seed])
    time, event = outcomes.exponential(20, 30), outcomes.integers(0, 2, 30)
    ids = [f"P{index}" for index in range(30)]
    risk = -np.log(time) + noise * rng.normal(size=30)
    return survival_table(ids, [[name] for name in ids], time, event, np.zeros(30), risk, np.full((30, 2), 0.5))


def _classification(fold: int, noise: float, seed: int) -> pd.DataFrame:
    label, rng = np.random.default_rng(fold).integers(0, 2, 30), np.random.default_rng([fold, seed])
    positive = 1 / (1 + np.exp(-(2 * label - 1 + noise * rng.normal(size=30))))
    ids = [f"P{index}" for index in range(30)]
    return classification_table(ids, [[name] for name in ids], label, np.stack([1 - positive, positive], axis=1))


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Survival A (two seeds) and B, classification X: MiCo, ABMIL, one ablation, the sweep; DSMIL is missing."""
    plan = Plan(tmp_path)
    for task, dataset, fold_of in (("surv", "A", _survival), ("surv", "B", _survival), ("cls", "X", _classification)):
        seeds = (1, 2) if dataset == "A" else (1,)
        for seed in seeds:
            for number, noise, how in (
                (1, 0.9, {}),
                (2, 1.4, {"model": "abmil"}),
                (3, 1.1, {"ablate": "route"}),
                (4, 9.0, {"k": 32}),
            ):
                folds = {fold: fold_of(fold, noise, 10 * number + seed) for fold in (0, 1)}
                plan.add(task, dataset, folds, seed=seed, **how)
    plan.add("surv", "B", None, model="dsmil")
    return plan


def test_each_comparison_is_the_paired_difference_of_the_prediction_files(plan: Plan):
    compared = {
        (one.task, one.dataset, one.metric, one.variant.name): one for one in compare_models(load_results(plan.path))
    }
    assert list(compared) == [
        ("surv", "A", "c_index", "ABMIL"),
        ("surv", "A", "c_index", "MiCo without Cluster Route"),
        ("surv", "B", "c_index", "ABMIL"),
        ("surv", "B", "c_index", "DSMIL"),
        ("surv", "B", "c_index", "MiCo without Cluster Route"),
        *(
            ("cls", "X", metric, name)
            for metric in ("auc", "acc", "f1")
            for name in ("ABMIL", "MiCo without Cluster Route")
        ),
    ]
    for (task, dataset, metric, name), one in compared.items():
        if name == "DSMIL":
            continue
        fold_of, seeds = (_survival, (1, 2) if dataset == "A" else (1,)) if task == "surv" else (_classification, (1,))
        number, noise = (2, 1.4) if name == "ABMIL" else (3, 1.1)
        ours = {(seed, fold): fold_of(fold, 0.9, 10 + seed) for seed in seeds for fold in (0, 1)}
        other = {(seed, fold): fold_of(fold, noise, 10 * number + seed) for seed in seeds for fold in (0, 1)}
        assert one.result == paired_difference(ours, other, metric)
        assert (one.result.n_folds, one.result.n_seeds, one.n_clusters) == (2, len(seeds), 64)


def test_holm_by_hand_within_a_family(plan: Plan):
    compared = compare_models(load_results(plan.path))
    for family in (("surv", "c_index"), ("cls", "auc"), ("cls", "acc"), ("cls", "f1")):
        members = [one for one in compared if (one.task, one.metric) == family and one.result is not None]
        assert len(members) == (4 if family[0] == "surv" else 2)
        members = [one for one in members if one.result.p is not None]  # two seeds: data set A
        assert len(members) == (2 if family[0] == "surv" else 0)
        assert {one.n_comparisons for one in members} <= {2}
        largest = 0.0
        for rank, one in enumerate(sorted(members, key=lambda one: one.result.p)):
            largest = max(largest, min(1.0, (len(members) - rank) * one.result.p))
            assert one.p_holm == pytest.approx(largest)


def test_the_files(plan: Plan):
    compared = compare_models(load_results(plan.path))
    files = comparison_files(compared)
    assert list(files) == ["comparisons.csv", "comparisons.md", "comparisons.tex"]
    rows = cells(files["comparisons.md"])
    assert {len(row) for row in rows} == {10}
    assert {len(row) for row in latex_rows(files["comparisons.tex"])} == {10}
    first = compared[0].result
    by_seed = sorted(first.by_seed.values())
    assert rows[1][:7] == [
        "survival",
        "A",
        "C-index",
        "ABMIL",
        f"{first.difference:+.3f}",
        f"{by_seed[0]:+.3f} to {by_seed[1]:+.3f}",
        f"{first.low:+.3f} to {first.high:+.3f}",
    ]
    assert rows[1][9] == "2 folds, 2 seeds, 30 patients"
    assert rows[3][5:9] == ["–", rows[3][6], "– (note 1)", ""]  # one seed: an interval, and no p
    assert rows[4][3:] == ["DSMIL", "not made (note 2)", "", "", "", "", ""]
    assert "- note 1: one seed: how much another training run" in files["comparisons.md"]
    assert "- note 2: no results yet of DSMIL" in files["comparisons.md"]
    assert "those without p do not count. Here: 2 of C-index (survival)." in files["comparisons.md"]
    lines = list(csv.DictReader(io.StringIO(files["comparisons.csv"])))
    assert tuple(lines[0]) == CSV_COLUMNS
    for line, one in zip(lines, compared, strict=True):
        assert (line["dataset"], line["model"], line["ablate"]) == (one.dataset, one.variant.model, one.variant.ablate)
        if one.result is None:
            assert [line[name] for name in ("difference", "low", "p", "p_holm", "n_cases", "n_pairs")] == [""] * 6
            assert (line["note"], line["run_dirs_other"]) == ("no results yet of DSMIL", "surv_B_dsmil_none_64_1")
        else:
            numbers = ("difference", "low", "high", "ours", "other", "n_pairs")
            assert [float(line[name]) for name in numbers] == [getattr(one.result, name) for name in numbers]
            spread = [float(line[name]) for name in ("lowest_of_seeds", "highest_of_seeds")]
            assert spread == [min(one.result.by_seed.values()), max(one.result.by_seed.values())]
            p = [line[name] for name in ("p", "p_holm")]
            assert p == ["" if value is None else repr(value) for value in (one.result.p, one.p_holm)]
            assert (line["note"] == "") == (one.dataset == "A")
    assert lines[0]["run_dirs_ours"] == "surv_A_mico_released_64_1;surv_A_mico_released_64_2"


def _reasons(plan: Plan) -> list[str]:
    return [one.reason for one in compare_models(load_results(plan.path))]


def test_why_a_comparison_cannot_be_made(tmp_path: Path):
    plan = Plan(tmp_path)
    plan.add("surv", "A", None)
    plan.add("surv", "A", None, model="abmil")
    plan.add("surv", "A", survival_folds(C_1), model="dsmil")
    plan.add("surv", "B", survival_folds(C_1), model="abmil")
    plan.add("surv", "C", {0: survival_fold(C_1, event=(0, 0, 0))})
    plan.add("surv", "C", {0: survival_fold(C_1, event=(0, 0, 0))}, model="abmil")
    plan.add("surv", "D", survival_folds(C_1))
    plan.add("surv", "D", {0: survival_fold(C_1, event=(1, 0, 1))}, model="abmil")
    plan.add("surv", "E", survival_folds(C_1))
    plan.add("surv", "E", {1: survival_fold(C_1)}, model="abmil")
    reasons = _reasons(plan)
    assert reasons[:4] == [
        "no results yet of MiCo and of ABMIL",
        "no results yet of MiCo",
        "the plan has no MiCo run of this data set",
        "undefined in every fold (no events)",
    ]
    assert "P1 has event 1 and 0" in reasons[4]
    assert "no seed and fold in common" in reasons[5]
    assert len(reasons) == 6
    page = comparison_files(compare_models(load_results(plan.path)))["comparisons.md"]
    assert [row[4] for row in cells(page)[1:]] == [f"not made (note {number})" for number in range(1, 7)]


def test_the_other_form_of_mico_is_one_of_the_other_models(tmp_path: Path):
    plan = Plan(tmp_path)
    plan.add("cls", "X", {0: classification_fold(RIGHT)}, formulation="paper")
    plan.add("cls", "X", {0: classification_fold(RIGHT)})
    compared = compare_models(load_results(plan.path))
    assert [one.variant.name for one in compared] == ["MiCo (paper form)"] * 3
    assert [(one.result.difference, one.result.p) for one in compared] == [(0, None)] * 3


def test_a_plan_with_nothing_to_compare(tmp_path: Path):
    plan = Plan(tmp_path)
    plan.add("surv", "A", survival_folds(C_1))
    assert compare_models(load_results(plan.path)) == []
