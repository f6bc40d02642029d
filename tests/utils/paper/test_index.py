from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.utils.report.cohorts import survival_fold as survival_cases
from tests.utils.run_folders import ALL_0, C_1, RIGHT, Plan, cells, classification_folds, survival_folds
from utils.paper.index import index_text
from utils.paper.planned_results import load_results
from utils.paper.planned_tables import planned_tables
from utils.runs.protocol import protocol_of


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    plan = Plan(tmp_path)
    plan.add("surv", "A", survival_folds(C_1, C_1), warnings=["3 patients\noverlap", "dropped 2 slides"])
    plan.add("surv", "A", survival_folds(C_1), seed=2, warnings=["dropped 2 slides"])
    plan.add("surv", "A", None, model="abmil")
    plan.add("surv", "A", {}, model="dsmil", folds=[0, 1])
    plan.add("cls", "A", None, ablate="route")
    return plan


def _section(text: str, title: str) -> str:
    return text.split(f"## {title}\n\n")[1].split("\n## ")[0].strip()


def test_the_index_names_the_tables_of_the_plan(plan: Plan):
    results = load_results(plan.path)
    text = index_text(results, [])
    assert re.findall(r"^- \[(\w+)\]\(\1\.md\)", text, re.MULTILINE) == planned_tables(results)


def test_what_is_missing(plan: Plan):
    assert _section(index_text(load_results(plan.path), []), "Missing").splitlines() == [
        "- MiCo, 64 anchors, A (survival), seed 2: fold 1 missing (`surv_A_mico_released_64_2`)",
        "- ABMIL, A (survival), seed 1: not begun (`surv_A_abmil_none_64_1`)",
        "- DSMIL, A (survival), seed 1: begun, no fold tested (`surv_A_dsmil_none_64_1`)",
        "- MiCo without Cluster Route, 64 anchors, A (classification), seed 1: not begun "
        "(`cls_A_mico_released_route_64_1`)",
    ]


def test_nothing_is_missing(tmp_path: Path):
    plan = Plan(tmp_path)
    plan.add("cls", "X", classification_folds(RIGHT))
    section = _section(index_text(load_results(plan.path), []), "Missing")
    assert section == "Nothing: every planned run has all folds of its cohort."


def test_folds_and_seeds_that_were_run(plan: Plan):
    section = _section(index_text(load_results(plan.path), []), "Folds and seeds that were run")
    assert cells(section) == [
        ["task", "data set", "model", "anchors", "folds", "seeds", "trainings"],
        ["survival", "A", "MiCo", "64", "2 of 2", "2 of 2 (1, 2)", "3 of 4"],
        ["survival", "A", "ABMIL", "", "0 of 2", "0 of 1", "0 of 2"],
        ["survival", "A", "DSMIL", "", "0 of 2", "0 of 1", "0 of 2"],
        ["classification", "A", "MiCo without Cluster Route", "64", "0 of unknown", "0 of 1", "0 of unknown"],
    ]


def test_every_deviation_is_listed(plan: Plan):
    section = _section(
        index_text(load_results(plan.path), ["features of another extractor"]), "Deviations and warnings"
    )
    lines = section.splitlines()
    assert "three of the four folds were never published" in lines[0]
    assert "of epochs with the same score the one of the lowest validation loss" in lines[1]
    assert "share patients" in lines[2]
    assert lines[3:] == [
        "- features of another extractor",
        "- A (survival), 1 of 4 runs: 3 patients overlap",
        "- A (survival), 2 of 4 runs: dropped 2 slides",
    ]


def test_the_source_of_published_figures_is_told_where_they_stand(tmp_path: Path):
    plan = Plan(tmp_path)
    plan.add("cls", "NSCLC", None)
    assert "secondary digest of arXiv 2506.18028 v3" in index_text(load_results(plan.path), [])


def test_doubtful_folds_are_counted(tmp_path: Path):
    plan = Plan(tmp_path)
    plan.add("cls", "X", classification_folds(RIGHT, ALL_0))
    plan.add("cls", "X", classification_folds(ALL_0, ALL_0), model="abmil")
    section = _section(index_text(load_results(plan.path), []), "Deviations and warnings")
    start = "- X (classification), 3 of 4 trained folds (MiCo, 64 anchors; ABMIL): all test slides are predicted as"
    assert [line.startswith(start) for line in section.splitlines()[3:]] == [True]


def test_a_run_worse_than_chance_is_named_even_where_no_fold_is(tmp_path: Path):
    plan = Plan(tmp_path)
    folds = {fold: survival_cases(fold, n=10) for fold in range(5)}
    plan.add("surv", "A", {fold: table.assign(risk=-table["risk"]) for fold, table in folds.items()})
    plan.add("surv", "A", folds, seed=2)
    section = _section(index_text(load_results(plan.path), []), "Deviations and warnings")
    said = "MiCo, 64 anchors, A (survival), seed 1: worse than chance: the 95 % interval of the mean C-index lies below"
    assert [line for line in section.splitlines() if "of the mean C-index" in line] == [
        line for line in section.splitlines() if line.startswith(f"- {said}")
    ]
    assert said in section
    assert "of the C-index lies below" not in section  # of a fold


def test_the_sources_with_the_digests_of_their_splits(plan: Plan):
    section = _section(index_text(load_results(plan.path), []), "Sources")
    assert section.splitlines() == [
        "Plan: `plan.csv`; folders of runs are written as the plan has them.",
        "",
        "A (survival):",
        "",
        "- split files 1, sha256: fold0.csv sha0, fold1.csv sha1",
        "- split files 2, sha256: fold0.csv sha0",
        "- split files 3, sha256: not recorded",
        "- `surv_A_mico_released_64_1`: MiCo, 64 anchors, seed 1; folds 0 and 1; split files 1",
        "- `surv_A_mico_released_64_2`: MiCo, 64 anchors, seed 2; fold 0; split files 2",
        "- `surv_A_dsmil_none_64_1`: DSMIL, seed 1; no fold tested; split files 3",
        "",
        "A (classification):",
        "",
        "- no run has begun",
    ]


def test_different_splits_of_one_cohort_are_a_deviation(tmp_path: Path):
    plan = Plan(tmp_path)
    plan.add("surv", "A", survival_folds(C_1), splits={"fold0.csv": "one"})
    plan.add("surv", "A", survival_folds(C_1), model="abmil", splits={"fold0.csv": "two"})
    text = index_text(load_results(plan.path), [])
    assert "- A (survival): the runs used different files fold0.csv as splits, so they are not comparable." in text


def test_how_many_cases_the_folds_have(tmp_path: Path):
    plan = Plan(tmp_path)
    plan.add("surv", "A", survival_folds(C_1, C_1))
    plan.add("surv", "A", survival_folds(C_1), model="abmil")
    plan.add("cls", "X", classification_folds(RIGHT))
    plan.add("cls", "Y", None)
    fold = survival_folds(C_1)[0]
    n_cases, n_deaths = len(fold), int(fold["event"].sum())
    rows = cells(_section(index_text(load_results(plan.path), []), "Test cases"))
    assert rows[1:] == [
        ["survival", "A", "2", f"{n_cases}, {n_cases}", f"{2 * n_cases}", f"{n_deaths}, {n_deaths}", f"{2 * n_deaths}"],
        ["classification", "X", "1", f"{len(RIGHT)}", f"{len(RIGHT)}", "", ""],
        ["classification", "Y", "0", "", "", "", ""],
    ]


def test_settings_that_differ_from_the_protocol_are_named(tmp_path: Path):
    plan = Plan(tmp_path)
    today = {"n_clusters": 64, "monitor": "val_loss", "tie_rule": "val_loss"}
    common = {"epochs": 5, "lr": 2e-4, "num_workers": 8, "device": "auto", **today}
    plan.add("surv", "A", survival_folds(C_1), settings=common)
    plan.add("surv", "A", survival_folds(C_1), model="abmil", settings=common)
    graph = {**common, "graph": "features"}
    plan.add("surv", "A", survival_folds(C_1), model="patchgcn", settings=graph, feature_norm="zscore")
    plan.add("cls", "X", classification_folds(RIGHT), settings={**today, "monitor": "val_f1"})
    plan.add("cls", "Y", classification_folds(RIGHT), settings=today)
    title = "Settings that differ from the defaults of main.py"
    assert _section(index_text(load_results(plan.path), []), title).splitlines() == [
        "- A (survival), Patch-GCN: graph features, epochs 5, feature_norm zscore",
        "- A (survival), all other runs: epochs 5",
        "- X (classification), all runs: none",
        "- Y (classification), all runs: monitor val_loss",
    ]


def test_runs_of_an_earlier_version_are_named(tmp_path: Path):
    plan = Plan(tmp_path)
    settings = {"n_clusters": 64, "optimizer": "adamw", "grad_accum": 2}
    today = {**settings, "monitor": "val_loss", "tie_rule": "val_loss"}
    plan.add("surv", "A", survival_folds(C_1), settings=today, protocol=protocol_of(today))
    plan.add("surv", "A", survival_folds(C_1), model="abmil", settings=settings)
    plan.add("cls", "X", classification_folds(RIGHT), settings=settings)
    title = "Settings that differ from the defaults of main.py"
    shown = "optimizer adamw, loss of an accumulation window divided by its cases (an earlier version)"
    assert _section(index_text(load_results(plan.path), []), title).splitlines() == [
        f"- A (survival), ABMIL: {shown}",
        "- A (survival), all other runs: optimizer adamw",
        f"- X (classification), all runs: tie_rule first, {shown}",
    ]


def test_options_of_models_are_compared_with_the_defaults_that_the_run_recorded(tmp_path: Path):
    plan = Plan(tmp_path)
    options = {"temperature": 0.5, "ablate": None, "monitor": "val_f1", "tie_rule": "val_loss"}
    plan.add("cls", "X", classification_folds(RIGHT), model="newmil", settings={"n_clusters": 64, **options})
    run_json = next(tmp_path.rglob("run.json"))
    for default, expected in ((0.5, "none"), (1.0, "temperature 0.5")):
        record = json.loads(run_json.read_text()) | {"model_defaults": {"temperature": default, "ablate": None}}
        run_json.write_text(json.dumps(record))
        title = "Settings that differ from the defaults of main.py"
        shown = _section(index_text(load_results(plan.path), []), title).splitlines()
        assert shown == [f"- X (classification), all runs: {expected}"]
