"""script/tune.sh on a small cohort: what it trains, what it leaves closed, and that it goes on."""

from __future__ import annotations

import csv
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import main as main_command
from script.tuning import get_args_parser, planned
from utils.errors import UserError
from utils.pipeline.model_options import run_settings

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def tune(cohort, place: Path, grid: str, *more: str) -> subprocess.CompletedProcess:
    places = {"FEATURES_DIR": cohort.features_dir, "SPLITS_DIR": cohort.splits_dir, "ANCHORS_DIR": place / "anchors"}
    settings = {"TASK": "cls", "DATASET": "TOY", "EPOCHS": 2, "GPU": "cpu", "NUM_WORKERS": 0, "N_CLUSTERS": 8}
    variables = {**places, **settings, "RESULTS_DIR": place / "results", "GRID": grid}
    environment = {**os.environ, **{name: str(value) for name, value in variables.items()}}
    return subprocess.run(
        ["bash", "script/tune.sh", "--embed_dim", "8", "--no_figures", *more],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )


def test_train_compare_and_test_the_best(cls_cohort, tmp_path):
    grid = "model mico meanpool\nn_clusters 8 16"
    ended = tune(cls_cohort, tmp_path, grid)
    assert ended.returncode == 0, ended.stderr
    place = tmp_path / "results" / "cls" / "TOY"
    names = ["tune_model_meanpool", "tune_model_mico_n_clusters_16", "tune_model_mico_n_clusters_8"]
    assert sorted(path.parent.name for path in place.glob("*/run.json")) == names
    assert sorted(path.name for path in (tmp_path / "anchors").glob("*.pt")) == [
        f"TOY_C_{k}_init_fold{fold}.pt" for k in (16, 8) for fold in (0, 1)
    ]
    assert not [*place.rglob("*test*"), *place.rglob("metrics.json"), *place.rglob("summary.*")]
    compared = json.loads((place / "tuning.json").read_text())
    assert sorted(row["run_name"] for row in compared["runs"]) == names
    assert (place / "tuning.md").read_text() in ended.stdout
    with (place / "tuning.csv").open() as file:
        assert {row["n_folds"] for row in csv.DictReader(file)} == {"2"}

    before = {path: path.stat().st_mtime_ns for path in place.rglob("*.pt")}
    again = tune(cls_cohort, tmp_path, grid)
    assert again.returncode == 0, again.stderr
    for printed in (ended.stdout, again.stdout):
        assert printed.startswith("5 parts (2 of anchors, 3 runs), 1 at a time, of which finished ones are kept; logs")
        assert "\n5 of 5  done: " in printed
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*.pt")} == before

    command = [sys.executable, *shlex.split(compared["test"])[1:]]
    tested = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr
    assert [path.parts[-3] for path in sorted(place.rglob("predictions_test.csv"))] == [compared["best"]] * 2


@pytest.mark.parametrize(("grid", "n_anchor_jobs"), [("model abmil meanpool", 0), ("model abmil mico", 1)])
def test_anchors_are_fitted_where_a_model_takes_them(cls_cohort, tmp_path, grid, n_anchor_jobs):
    line = ["--grid", grid, "--task", "cls", "--dataset", "TOY", "--features_dir", str(cls_cohort.features_dir)]
    line += ["--splits_dir", str(cls_cohort.splits_dir), "--results_dir", str(tmp_path), "--feature_norm", "zscore"]
    line += ["--fixed", "model=mico", "n_clusters=8", "embed_dim=8"]
    trials, jobs = planned(get_args_parser().parse_args(line))
    assert [job.command for job in jobs] == ["run_clustering"] * n_anchor_jobs + ["main"] * len(trials)
    of_runs = [run_settings(main_command.get_args_parser().parse_args(job.arguments)) for job in jobs[n_anchor_jobs:]]
    fitted = ("anchors/TOY_C_8_init_fold{fold}.pt", None)
    assert {(each.anchors, each.feature_norm) for each in of_runs} == {
        fitted if n_anchor_jobs else ("random", "zscore")
    }
    assert {job.needs for job in jobs[n_anchor_jobs:]} == {"8 anchors" if n_anchor_jobs else ""}


@pytest.mark.parametrize(
    ("grid", "more", "words"),
    [
        ("lr 1e-4 x", (), "argument --lr: invalid float value: 'x'"),
        ("lr 1e-4 -1", (), "got --lr -1.0, expected 1e-12 to 1000"),
        ("weighted_sampling 0 1", (), "found 0 1 in line 1 of the grid ('weighted_sampling 0 1'), expected yes or no"),
        ("rate 1e-4", (), "found rate in line 1 of the grid"),
        ("lr 1e-4", ("--lr", "1"), "got --lr among the options of main.py, which is in the grid"),
        ("lr 1e-4", ("--stage=all",), "got --stage among the options of main.py, which is set by the script"),
    ],
)
def test_what_cannot_be_meant_stops_before_any_work(tmp_path, grid, more, words, capsys):
    (tmp_path / "fold0.csv").touch()
    line = ["--grid", grid, "--task", "cls", "--dataset", "TOY", "--features_dir", "f", "--splits_dir", str(tmp_path)]
    line += ["--results_dir", str(tmp_path / "r"), "--fixed", "model=mico", "n_clusters=4", "--", *more]
    with pytest.raises((UserError, SystemExit)) as stopped:
        planned(get_args_parser().parse_args(line))
    said = f"{stopped.value} {capsys.readouterr().err}"
    assert words in said
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("grid", "more", "words"),
    [
        ("lr 1e-4 1e-3", ["--by", "banana"], "got --by banana for runs of task cls, expected one of auc"),
        ("n_bins 2 4", ["--by", "loss"], "got --by loss for runs that differ in n_bins"),
        ("n_clusters 8 15", [], "the model cannot be built: got 15 anchors for 3 stages"),
        ("lr 1e-4 1e-3", ["--task", "surv"], "lacks the columns train_survival_months"),
        ("lr 1e-4 1e-3", ["--folds", "9"], "got --folds 9, expected a file"),
    ],
)
def test_the_metric_the_folds_and_each_model_are_checked_before_any_work(cls_cohort, tmp_path, grid, more, words):
    line = ["--grid", grid, "--task", "cls", "--dataset", "TOY", "--features_dir", str(cls_cohort.features_dir)]
    line += ["--splits_dir", str(cls_cohort.splits_dir), "--results_dir", str(tmp_path / "r"), *more]
    with pytest.raises(UserError) as stopped:
        planned(get_args_parser().parse_args([*line, "--fixed", "model=mico", "n_clusters=8", "embed_dim=8"]))
    assert words in str(stopped.value)
    assert not (tmp_path / "r").exists()
