"""The table of cohorts, the plan of runs, and the calls that make them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

import main as main_command
import run_clustering as clustering_command
from script.cohort_plan import Plan, anchor_jobs, plan_runs, plan_text, read_cohorts, run_job_of
from utils.errors import UserError
from utils.runs.run_plan import read_plan

ROOT = Path(__file__).parents[2]
TABLE = """
# name task features splits scale graph options
BLCA  surv  /features/BLCA  /splits/blca  none    coords
NSCLC cls   /features/NSCLC /splits/nsclc zscore  features  --lr 1e-3 --epochs 5
"""
PLAN = Plan(("abmil", "patchgcn"), ("route",), 64, (32, 64, 128), (1, 2))


def test_a_table_of_cohorts():
    blca, nsclc = read_cohorts(TABLE)
    assert (blca.name, blca.task, blca.features, blca.splits) == ("BLCA", "surv", "/features/BLCA", "/splits/blca")
    assert (blca.feature_norm, blca.graph, blca.options) == ("none", "coords", ())
    assert nsclc.options == ("--lr", "1e-3", "--epochs", "5")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("\nBLCA surv /features", "found 3 columns in line 2 of the table of cohorts ('BLCA surv /features')"),
        ("BLCA survival a b none coords", "found task 'survival' in line 1"),
        ("BLCA surv a b none coord", "found graph 'coord' in line 1"),
        ("BLCA surv a b log coords", "found scale of features 'log' in line 1"),
        ("BLCA surv a b none coords --folds 0", "got --folds among the options of main.py"),
        ("BLCA surv a b none coords --seed=3", "got --seed=3 among the options of main.py"),
        ("A surv a b none coords\nA surv c d none coords", "found A twice with task surv"),
        ("# nothing\n", "found no cohort"),
    ],
)
def test_a_table_that_cannot_be_meant(table, words):
    with pytest.raises(UserError, match=re.escape(words)):
        read_cohorts(table)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"models": ("mil",)}, "'mil'"),
        ({"models": ("mico",)}, "'mico'"),
        ({"ablations": ("head",)}, "'head'"),
        ({"models": ("abmil", "abmil")}, "the model abmil twice"),
        ({"seeds": (1, 2, 1)}, "the seed 1 twice"),
        ({"sweep": (0, 8)}, r"anchors \[0, 8, 64\]"),
        ({"seeds": (-1,)}, r"seeds \[-1\]"),
    ],
)
def test_a_plan_of_what_there_is_not(change, word):
    with pytest.raises(UserError, match=word):
        Plan(**{"models": (), "ablations": (), "n_clusters": 64, "sweep": (), "seeds": (1,), **change})


def test_one_name_for_each_run():
    runs = plan_runs(read_cohorts(TABLE), PLAN)
    names = [run.name for run in runs if run.cohort.name == "BLCA"]
    assert names == [
        name.format(seed)
        for seed in (1, 2)
        for name in (
            "mico_released_k64_seed{}",
            "abmil_seed{}",
            "patchgcn_seed{}",
            "mico_released_no_route_k64_seed{}",
            "mico_released_k32_seed{}",
            "mico_released_k128_seed{}",
        )
    ]


def test_the_plan_is_one_that_the_tables_read(tmp_path):
    runs = plan_runs(read_cohorts(TABLE), PLAN)
    (tmp_path / "tables").mkdir()
    path = tmp_path / "tables" / "plan.csv"
    path.write_text(plan_text(runs))
    planned = read_plan(path)
    assert len(planned) == len(runs) == 24
    assert [(p.model, p.ablate, p.n_clusters, p.seed) for p in planned] == [
        (r.model, r.ablate, r.n_clusters, r.seed) for r in runs
    ]
    assert planned[0].path.resolve() == tmp_path / "surv" / "BLCA" / "mico_released_k64_seed1"
    assert {p.formulation for p in planned if p.model != "mico"} == {"none"}


def test_the_calls_are_ones_that_the_commands_take(tmp_path):
    """Parsed by their own parsers, and the run lands where the plan says."""
    blca, nsclc = read_cohorts(TABLE)
    fits = list(anchor_jobs(nsclc, PLAN, tmp_path / "anchors", tmp_path / "logs", ["--gpu"]))
    parsed = [clustering_command.get_args_parser().parse_args(job.arguments) for job in fits]
    assert [p.n_clusters for p in parsed] == [32, 64, 128]
    assert all(p.gpu and p.feature_norm == "zscore" for p in parsed)
    assert not any(p.allow_patient_overlap for p in parsed)
    overlapping = replace(nsclc, options=(*nsclc.options, "--allow_patient_overlap"))
    fits = list(anchor_jobs(overlapping, PLAN, tmp_path / "anchors", tmp_path / "logs", []))
    assert all(clustering_command.get_args_parser().parse_args(job.arguments).allow_patient_overlap for job in fits)
    runs = plan_runs([blca, nsclc], PLAN)
    for run in runs:
        job = run_job_of(run, tmp_path / "anchors", tmp_path / "r", tmp_path / "logs", ["--device", "cpu"])
        settings = main_command.settings_of(main_command.get_args_parser().parse_args(job.arguments))
        assert settings.run_dir == tmp_path / "r" / run.cohort.task / run.cohort.name / run.name
        assert settings.model == run.model
        options = settings.model_options
        assert options.get("ablate", ()) == ((run.ablate,) if run.ablate else ())
        assert settings.anchors.endswith(f"{run.cohort.task}/{run.cohort.name}_C_{run.n_clusters}_init_fold{{fold}}.pt")
        assert settings.lr == (1e-3 if run.cohort is nsclc else 2e-4)
        graph = "features" if run.cohort is nsclc else "coords"
        assert options.get("graph") == (graph if run.model == "patchgcn" else None)
        assert (settings.resume, settings.seed) == (True, run.seed)
        if run.cohort is nsclc:
            assert job.needs in [fit.label for fit in fits]


def test_the_script_lists_the_cohorts_of_the_paper():
    text = (ROOT / "script" / "reproduce_tables.sh").read_text()
    table = re.search(r'COHORTS="\$\{COHORTS:-(.*?)\}"', text, flags=re.DOTALL).group(1)
    cohorts = read_cohorts(table)
    assert [c.name for c in cohorts if c.task == "surv"] == ["BLCA", "BRCA", "GBMLGG", "HNSC", "KIRC", "KIRP", "LUAD"]
    assert [c.name for c in cohorts if c.task == "cls"] == ["BRCA", "NSCLC"]
