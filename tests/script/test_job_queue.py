"""Calls of the commands as pieces of a launcher: what a run and its anchors become, and what is said of failures."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from unittest.mock import ANY

import pytest

import main as training
import run_clustering as clustering
from datasets.synthetic.cohort import Cohort, CohortSettings, make_cohort
from script.job_queue import Job, launch_jobs, launch_options, launcher_for, pieces_of, said_of_failures, write_jobs
from utils.command.arguments import add_options
from utils.command.launch_options import LaunchOptions
from utils.errors import UserError
from utils.launch.piece import Ended
from utils.launch.piece_file import read_piece


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    return make_cohort(tmp_path / "cohort", CohortSettings(task="cls", n_cases=12, n_folds=2, dim=8))


def run_job(tmp_path: Path, splits: Path, *more: str, needs: str = "") -> Job:
    arguments = ["--task", "cls", "--dataset", "d", "--anchors", "random", "--device", "cpu", "--resume"]
    arguments += ["--features_dir", str(tmp_path / "cohort" / "features"), "--splits_dir", str(splits)]
    arguments += ["--results_dir", str(tmp_path / "results"), *more]
    return Job("d (cls), mico", "main", tuple(arguments), tmp_path / "logs" / "d_mico.log", needs)


def anchor_job(tmp_path: Path, *more: str) -> Job:
    arguments = ("--dataset_name", "x", "--input_dir", str(tmp_path / "nowhere"), "--output_dir", str(tmp_path / "out"))
    return Job("8 anchors", "run_clustering", (*arguments, *more), tmp_path / "anchors.log")


def test_a_run_is_its_beginning_each_fold_and_its_end(tmp_path: Path, cohort: Cohort):
    job = run_job(tmp_path, cohort.splits_dir, needs="8 anchors")
    launcher = launcher_for([job], LaunchOptions(jobs=2))
    begin, *folds, end = pieces_of(job, launcher)
    assert {piece.part for piece in (begin, *folds, end)} == {job.label}
    assert [piece.label for piece in folds] == ["d (cls), mico, fold 0", "d (cls), mico, fold 1"]
    assert begin.needs == ("8 anchors",)
    assert [piece.needs for piece in folds] == [(begin.label,)] * 2
    assert end.needs == tuple(piece.label for piece in folds)
    assert [piece.log.name for piece in (begin, *folds, end)] == [
        *("d_mico.log", "d_mico_fold0.log", "d_mico_fold1.log", "d_mico.log")
    ]
    run_dir = tmp_path / "results" / "cls" / "d" / "mico_released"
    assert [piece.places for piece in folds] == [(run_dir / "fold0",), (run_dir / "fold1",)]
    assert [piece.work.func for piece in (begin, folds[0], end)] == [
        *(training.begin_run, training.run_fold_alone, training.end_run)
    ]
    assert [piece.work.args[0].folds for piece in (begin, *folds, end)] == [None, (0,), (1,), None]


def test_anchors_are_one_piece(tmp_path: Path):
    job = anchor_job(tmp_path)
    (piece,) = pieces_of(job, launcher_for([job], LaunchOptions(gpus=("cpu",))))
    assert (piece.label, piece.part, piece.kind, piece.log, piece.needs) == (*[job.label] * 2, "anchors", job.log, ())
    assert piece.work.func is clustering.run


@pytest.mark.slow
def test_a_refused_job_says_why_and_those_that_need_it_are_not_run(tmp_path: Path, cohort: Cohort):
    jobs = [
        run_job(tmp_path, cohort.splits_dir, needs="8 anchors"),
        anchor_job(tmp_path),
        Job("other", "main", run_job(tmp_path, tmp_path / "no_splits").arguments, tmp_path / "other.log"),
    ]
    ended = launch_jobs(jobs, launcher_for(jobs, LaunchOptions(jobs=2)))
    assert [job.label for job in ended] == [job.label for job in jobs]
    assert ended[0] == Ended(jobs[0].label, 1, "not run, because of: 8 anchors")
    assert ended[1:] == [Ended("8 anchors", 2, ANY, (), ANY), Ended("other", 2, ANY, (), ANY)]
    assert "nowhere" in ended[1].said
    assert "no_splits" in ended[2].said
    assert (tmp_path / "anchors.log").read_text().strip() == ended[1].said
    assert not jobs[0].log.exists()


def test_an_option_that_the_command_does_not_know_is_refused_before_any_work(tmp_path: Path, capsys):
    job = anchor_job(tmp_path, "--no_such_option")
    with pytest.raises(SystemExit) as stopped:
        pieces_of(job, launcher_for([], LaunchOptions(gpus=("cpu",))))
    assert stopped.value.code == 2
    assert "--no_such_option" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--jobs", "0"], "got --jobs 0, expected 1 to 1024"),
        (["--gpus", "x"], "got --gpus x, expected all, cpu, or numbers"),
    ],
)
def test_the_options_of_a_script_are_checked(words: list[str], said: str):
    parser = argparse.ArgumentParser()
    add_options(parser, LaunchOptions, launcher=("local",))
    assert launch_options(parser.parse_args(["--gpus", "0", "1"])) == LaunchOptions(gpus=("0", "1"))
    with pytest.raises(UserError, match=said):
        launch_options(parser.parse_args(words))


def test_failures_are_told_at_the_end(tmp_path: Path, capsys):
    assert said_of_failures("prog", [Ended("a", 0, "")], tmp_path) == 0
    assert capsys.readouterr().err == ""
    assert said_of_failures("prog", [Ended("a", 0, ""), Ended("b", 2, "why")], tmp_path) == 1
    assert capsys.readouterr().err == f"prog: 1 of 2 parts failed, see the logs in {tmp_path}:\n    b: why\n"


def test_a_dry_run_writes_the_pieces_of_all_calls(tmp_path: Path, cohort: Cohort, capsys: pytest.CaptureFixture[str]):
    options = LaunchOptions(launcher="slurm", slurm=("time=60", "gpus_per_node=1"), dry_run=True)
    anchors = replace(anchor_job(tmp_path), log=tmp_path / "logs" / "anchors.log")
    jobs = [anchors, run_job(tmp_path, cohort.splits_dir, "--device", "auto", "--cache", "ram", needs=anchors.label)]
    launcher = launcher_for(jobs, options)
    write_jobs(jobs, launcher)
    (script,) = (tmp_path / "logs" / "slurm").glob("*/submit.sh")
    assert capsys.readouterr().out.startswith(f"wrote {script}, which submits 5 pieces; ")
    settings = [read_piece(script.parent / name, 0)[0].work.args[0] for name in ("2_begin.json", "3_fold.json")]
    assert {each.device for each in settings} == {"cuda"}  # of the jobs, not of this machine
    assert {each.cache_gb for each in settings} == {None}  # each job has memory of its own
