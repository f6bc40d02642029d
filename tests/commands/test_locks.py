"""A place that another process writes is refused by every command, in one sentence, and nothing in it changes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from datasets.synthetic.cohort import Cohort
from tests.commands.conftest import Command, surv_arguments
from utils.files.locks import lock_path, locked


def tree(place: Path) -> dict[str, bytes]:
    return {p.relative_to(place).as_posix(): p.read_bytes() for p in place.rglob("*") if p.is_file()}


@pytest.fixture
def run_dir(tmp_path: Path, surv_cohort: Cohort, run_main: Command) -> Path:
    run_main(*surv_arguments(surv_cohort, tmp_path)).check()
    return tmp_path / "surv" / "toy" / "mico_released"


WAYS_TO_START = (
    ["--overwrite"],
    ["--overwrite", "--lr", "1e-3"],
    ["--resume"],
    ["--resume", "--on_change", "restart", "--lr", "1e-3"],
    ["--stage", "test", "--overwrite"],
    ["--stage", "explain"],
    ["--folds", "1", "--overwrite"],
    [],
)


def test_a_run_that_another_process_writes(run_dir: Path, tmp_path: Path, surv_cohort: Cohort, run_main: Command):
    with locked(run_dir / "fold1"):
        owner, before = json.loads(lock_path(run_dir / "fold1").read_text()), tree(tmp_path)
        for how in WAYS_TO_START:
            ended = run_main(*surv_arguments(surv_cohort, tmp_path), *how)
            assert tree(tmp_path) == before
            assert ended.status == 2
            assert ended.err == (
                f"main.py: error: {run_dir / 'fold1'} is being written by process {os.getpid()} on {owner['host']}, "
                f"since {owner['started']}: wait until it is done, stop it, or write to another place\n"
            )
    assert not [name for name in tree(tmp_path) if name.endswith(".lock")]


def test_other_folds_of_the_run_are_free(tmp_path: Path, surv_cohort: Cohort, run_main: Command):
    run_dir = tmp_path / "surv" / "toy" / "mico_released"
    with locked(run_dir / "fold1"):
        run_main(*surv_arguments(surv_cohort, tmp_path), "--folds", "0").check()
    run_main(*surv_arguments(surv_cohort, tmp_path), "--folds", "1", "--resume").check()
    summary = json.loads((run_dir / "summary.json").read_text())
    assert [fold["fold"] for fold in summary["folds"]] == [0, 1]


def test_overwrite_of_one_fold_keeps_the_other(run_dir: Path, tmp_path: Path, surv_cohort: Cohort, run_main: Command):
    before = tree(run_dir)
    run_main(*surv_arguments(surv_cohort, tmp_path), "--folds", "1", "--overwrite").check()
    after = tree(run_dir)
    timed = {"run.json", "fold1/log.csv", "fold1/last.pt"}  # with seconds, or dates
    assert {name: after[name] for name in after.keys() - timed} == {
        name: before[name] for name in before.keys() - timed
    }
    assert json.loads(after["run.json"])["folds"] == [0, 1]


def test_a_cohort_that_another_process_predicts(run_dir: Path, surv_cohort: Cohort, run_main: Command):
    predict = ("--run_dir", run_dir, "--features_dir", surv_cohort.features_dir, "--cohort", "again")
    predict = (*predict, "--allow_patient_overlap", "--device", "cpu")
    with locked(run_dir / "predict" / "again"):
        ended = run_main("--stage", "predict", *predict)
    assert ended.status == 2
    assert f"{run_dir / 'predict' / 'again'} is being written by process {os.getpid()}" in ended.err
    assert not (run_dir / "predict").exists()
    run_main("--stage", "predict", *predict).check()


@pytest.mark.parametrize("name", ["toy_C_4_init.pt", "toy_C_4_slides"])
def test_anchors_that_another_process_fits(tmp_path: Path, surv_cohort: Cohort, run_clustering: Command, name: str):
    arguments = ("--dataset_name", "toy", "--n_clusters", "4", "--input_dir", surv_cohort.features_dir)
    with locked(tmp_path / "out" / name):
        ended = run_clustering(*arguments, "--output_dir", tmp_path / "out")
        assert ended.status == 2
        assert f"{tmp_path / 'out' / name} is being written by process {os.getpid()}" in ended.err
        assert [path.name for path in (tmp_path / "out").iterdir()] == [f".{name}.lock"]
    run_clustering(*arguments, "--output_dir", tmp_path / "out").check()
    assert not list((tmp_path / "out").glob(".*"))
