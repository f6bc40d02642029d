from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.utils.run_folders import C_1, C_1_2, C_2_3, RIGHT, Plan, classification_folds, survival_folds
from utils.errors import UserError
from utils.paper.planned_results import Variant, load_results

MICO = Variant("mico", "released")


def test_what_is_there_of_each_run(tmp_path: Path):
    plan = Plan(tmp_path)
    plan.add("surv", "A", survival_folds(C_1, C_2_3))
    plan.add("surv", "A", survival_folds(C_1), model="abmil")
    plan.add("surv", "A", {}, model="dsmil", folds=[0, 1, 2])  # begun, no fold tested
    plan.add("surv", "A", None, model="transmil")
    plan.add("cls", "A", None)
    results = load_results(plan.path)
    whole, part, begun, missing, _ = results.runs
    assert [row["c_index"] for row in whole.summary["folds"]] == pytest.approx([1, 2 / 3])
    assert [row["fold"] for row in part.summary["folds"]] == [0]
    assert (begun.summary, begun.record["folds"]) == (None, [0, 1, 2])
    assert (missing.summary, missing.record) == (None, None)
    assert results.folds("surv", "A") == [0, 1, 2]  # all folds that a run of this cohort lists
    assert results.folds("cls", "A") == []


def test_cohorts_and_models_have_the_order_of_the_plan_and_mico_is_first(tmp_path: Path):
    plan = Plan(tmp_path)
    plan.add("surv", "LUAD", None, model="dsmil")
    plan.add("surv", "LUAD", None, ablate="route")
    plan.add("surv", "BLCA", None, formulation="paper")
    plan.add("surv", "BLCA", None, model="abmil")
    plan.add("surv", "BLCA", None)
    plan.add("cls", "NSCLC", None, model="clam_sb")
    results = load_results(plan.path)
    assert (results.cohorts("surv"), results.cohorts("cls")) == (["LUAD", "BLCA"], ["NSCLC"])
    paper = Variant("mico", "paper")
    assert results.models("surv") == [MICO, paper, Variant("dsmil", "none"), Variant("abmil", "none")]
    assert results.models("cls") == [Variant("clam_sb", "none")]
    assert results.main_formulation() == "released"
    assert results.ablations() == [Variant("mico", "released", part) for part in ("", "route")]


def test_the_paper_form_is_the_main_one_only_where_it_is_alone(tmp_path: Path):
    plan = Plan(tmp_path)
    plan.add("surv", "A", None, formulation="paper", ablate="route")
    assert load_results(plan.path).main_formulation() == "paper"
    assert [variant.formulation for variant in load_results(plan.path).ablations()] == ["paper"] * 2
    plan.add("surv", "A", None)
    assert load_results(plan.path).main_formulation() == "released"
    assert [variant.formulation for variant in load_results(plan.path).ablations()] == ["released", "paper", "paper"]


def test_the_number_of_anchors_of_the_tables_is_that_of_most_lines(tmp_path: Path):
    plan = Plan(tmp_path)
    for k in (32, 64):
        plan.add("surv", "tie", None, k=k)
    for k in (8, 16):
        plan.add("surv", "first", None, k=k)
    for k in (64, 16):
        plan.add("surv", "most", None, k=k)
    plan.add("surv", "most", None, k=16, ablate="route")
    plan.add("surv", "none", None, model="abmil", k=16)
    results = load_results(plan.path)
    numbers = {name: results.n_clusters("surv", name) for name in results.cohorts("surv")}
    assert numbers == {"tie": 64, "first": 8, "most": 16, "none": None}


def test_the_runs_of_a_row(tmp_path: Path):
    plan = Plan(tmp_path)
    plan.add("surv", "A", None, seed=1)
    plan.add("surv", "A", None, seed=2)
    plan.add("surv", "A", None, k=32)
    plan.add("surv", "A", None, ablate="route")
    plan.add("surv", "A", None, model="abmil", k=16)
    plan.add("cls", "A", None)
    results = load_results(plan.path)
    names = [run.planned.run_dir for run in results.of("surv", "A", MICO)]
    assert names == ["surv_A_mico_released_64_1", "surv_A_mico_released_64_2"]
    assert [run.planned.run_dir for run in results.of("surv", "A", MICO, 32)] == ["surv_A_mico_released_32_1"]
    assert [run.planned.n_clusters for run in results.of("surv", "A", Variant("abmil", "none"))] == [16]
    assert results.of("surv", "B", MICO) == []


def test_names_of_rows():
    assert [variant.name for variant in (MICO, Variant("mico", "paper"), Variant("mico", "paper", "anchors"))] == [
        "MiCo",
        "MiCo (paper form)",
        "MiCo (paper form) without anchor initialisation",
    ]
    assert Variant("mico", "released", "reducer").name == "MiCo without Cluster Reducer"
    assert Variant("mico", "released", "route").name == "MiCo without Cluster Route"
    assert Variant("clam_sb", "none").name == "CLAM-SB"


def test_a_folder_of_another_run_stops_before_any_summary(tmp_path: Path):
    plan = Plan(tmp_path)
    first = plan.add("surv", "A", survival_folds(C_1_2))
    (first / "fold0" / "predictions_test.csv").write_text("damaged")
    plan.add("cls", "B", classification_folds(RIGHT), seed=3)
    second = tmp_path / "cls_B_mico_released_64_3" / "run.json"
    second.write_text(json.dumps(json.loads(second.read_text()) | {"seed": 4}))
    with pytest.raises(UserError, match=r"seed is 4, expected 3 as in .*plan\.csv, line 3"):
        load_results(plan.path)
    second.unlink()  # predictions without a record are a mistake, not a missing run
    with pytest.raises(UserError, match=r"run\.json: cannot be read"):
        load_results(plan.path)
