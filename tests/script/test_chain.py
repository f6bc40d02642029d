"""Calls that begin one after the other: what each needs, and what is refused before any of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets.synthetic.cohort import Cohort, CohortSettings, make_cohort
from script.chain import jobs_of, main


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    return make_cohort(tmp_path / "cohort", CohortSettings(task="cls", n_cases=12, n_folds=2, dim=8))


def calls(cohort: Cohort, tmp_path: Path) -> list[list[str]]:
    places = ["--features_dir", str(cohort.features_dir), "--splits_dir", str(cohort.splits_dir)]
    run = ["main", "--task", "cls", "--dataset", "toy", "--anchors", str(tmp_path / "x"), *places]
    run += ["--results_dir", str(tmp_path / "results")]
    anchors = ["run_clustering", "--dataset_name", "toy", "--input_dir", str(cohort.features_dir)]
    return [[*anchors, "--output_dir", str(tmp_path / "anchors" / "cls")], run, [*run, "--stage", "explain"]]


def test_each_call_needs_the_one_before_it(cohort: Cohort, tmp_path: Path):
    jobs = jobs_of(calls(cohort, tmp_path), tmp_path / "logs")
    assert [(job.label, job.needs, job.log.name) for job in jobs] == [
        ("64 anchors", "", "cls_toy_anchors_64.log"),
        ("mico_released", "64 anchors", "cls_toy_mico_released.log"),
        ("mico_released, explain", "mico_released, end", "cls_toy_mico_released_explain.log"),
    ]


def test_a_dry_run(cohort: Cohort, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["--launcher", "slurm", "--slurm", "time=60", "--dry_run", "--results_dir", str(tmp_path / "results")]
    line = [*words, *(word for call in calls(cohort, tmp_path) for word in ("--call", *call))]
    assert main(line) == 0
    assert "submit.sh, which submits 9 pieces" in capsys.readouterr().out
    (script,) = (tmp_path / "results" / "logs" / "slurm").glob("*/submit.sh")
    stages = ["1_anchors", "2_begin", "3_fold", "4_end", "5_begin", "6_fold", "7_end"]
    assert sorted(path.stem for path in script.parent.glob("*.sbatch")) == stages


def test_an_impossible_option_is_one_sentence(cohort: Cohort, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    first, *others = calls(cohort, tmp_path)
    line = [word for call in ([*first, "--n_iter", "0"], *others) for word in ("--call", *call)]
    assert main(["--launcher", "slurm", "--slurm", "time=60", *line]) == 2
    assert capsys.readouterr().err == "chain: error: got --n_iter 0, expected 1 to 1000000000\n"
    assert not (tmp_path / "results").exists()
