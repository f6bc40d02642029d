"""The command `python -m utils.runs.status`: its table, its JSON, and its end."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.utils.runs.status.made_runs import finish, make_run, train
from tests.utils.runs.status.test_run_progress import log, plan
from utils.files.locks import locked
from utils.runs.status.__main__ import main

ROOT = Path(__file__).parents[4]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """One run that is done, one with folds in every state, one that is planned."""
    done, begun = make_run(tmp_path, "done", folds=[0, 1]), make_run(tmp_path, "begun", folds=range(6))
    for k in (0, 1):
        finish(done, k, [2.0] * 10)
    finish(begun, 0, [3.0] * 10)
    train(begun, 3, [3.0, 4.0])
    train(begun, 4, [4.0])
    train(begun, 1, [5.0] * 2)
    log(tmp_path, "cls_toy_begun", "fold 3 epoch 2\nmain.py: error: val_loss is nan after fold 3 epoch 2: lower --lr\n")
    plan(tmp_path, "done", "begun", "later")
    return tmp_path


def test_the_table(results: Path, capsys: pytest.CaptureFixture[str]):
    begun = results / "cls/toy/begun"
    with locked(begun / "fold1"), locked(begun / "fold2"):
        assert main([str(results)]) == 0
    lines = capsys.readouterr().out.splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[:5]]
    assert cells[0] == ["run", "done", "not done", "s an epoch", "time left"]
    states = "1: running (epoch 2 of 20, at most 2 min left); 2: waiting; 3: failed (epoch 2 of 20); "
    states += "4: interrupted (epoch 1 of 20); 5: missing"
    # at most 18 * 5 + 20 * 3.875 + 18 * 3.5 + 19 * 4 + 20 * 3.875 = 384 s
    # about (30 - 10) + 30 + (30 - 7) + (30 - 4) + 30 = 129 s
    assert cells[2] == ["cls/toy/begun", "0", states, "3.9", "at most 6 min, about 2 min"]
    assert cells[3] == ["cls/toy/done", "all 2", "–", "2.0", "–"]
    # of the other runs of its model and data set: 6 * 20 * mean of (5, 3.5, 4, 3, 2, 2), 6 * mean of (30, 20, 20)
    assert cells[4] == ["cls/toy/later", "–", "0, 1, 2, 3, 4 and 5: missing", "–", "at most 6 min, about 2 min"]
    assert lines[5:] == [
        "failed: main.py: error: val_loss is nan after fold 3 epoch 2: lower --lr",
        "    cls/toy/begun, fold 3",
        f"process {os.getpid()} on {socket.gethostname()}: cls/toy/begun, fold 1",
        "14 folds of 3 runs: 3 done, 1 running, 1 waiting, 1 failed, 1 interrupted, 7 missing",
        "time left: at most 13 min, about 4 min if folds end as those that are done",
    ]


def test_all_is_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    finish(make_run(tmp_path, "a", folds=[0]), 0, [2.0] * 10)
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[2:] == [
        "| cls/toy/a | all 1 | –        | 2.0        | –         |",
        "1 fold of 1 run: 1 done",
    ]


def test_what_is_not_known_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    make_run(tmp_path, "a", folds=[0, 1])
    plan(tmp_path, "b", dataset="other")
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[2:] == [
        "| cls/other/b | –    | missing          | –          | –         |",
        "| cls/toy/a   | –    | 0 and 1: missing | –          | –         |",
        "2 folds of 2 runs: 0 done, 2 missing",
        "1 planned run more, of a data set that no run is there of to tell its folds",
        "time left: nothing is known yet, since no epoch is done",
    ]
    train(tmp_path / "cls/toy/a", 0, [2.0] * 20)
    train(tmp_path / "cls/toy/a", 1, [2.0] * 20)
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.endswith("\ntime left: that of predictions, since all folds are trained\n")


def test_for_machines(results: Path, capsys: pytest.CaptureFixture[str]):
    with locked(results / "cls/toy/begun/fold1"):
        assert main([str(results), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["folds"] == {"done": 3, "running": 1, "waiting": 0, "failed": 1, "interrupted": 1, "missing": 8}
    assert content["processes"] == 1
    begun, done, later = content["runs"]
    assert (begun["run"], begun["task"], begun["dataset"], begun["model"]) == ("cls/toy/begun", "cls", "toy", "abmil")
    assert begun["error"] == "main.py: error: val_loss is nan after fold 3 epoch 2: lower --lr"
    running = begun["folds"][1]
    assert running.pop("process")["process"] == os.getpid()
    assert running == {
        "fold": 1, "state": "running", "epochs_done": 2, "trained": False, "seconds": 10.0, "seconds_an_epoch": 5.0,
        "seconds_left_at_most": 90.0, "seconds_left_about": 20.0,
    }  # fmt: skip
    assert {fold["seconds_left_at_most"] for fold in done["folds"]} == {0.0}
    assert [fold["state"] for fold in later["folds"]] == ["missing"] * 6
    left = [fold["seconds_left_about"] for run in content["runs"] for fold in run["folds"]]
    assert content["seconds_left"]["about"] == pytest.approx(sum(left))
    assert content["seconds_left"]["folds_unknown_about"] == 0


@pytest.mark.parametrize("place", [".", "none"])
def test_a_folder_without_runs_gets_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str):
    assert main([str(tmp_path / place)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("python -m utils.runs.status: error: ")
    assert err.count("\n") == 1


def test_nothing_is_written_and_nothing_slow_is_imported(results: Path):
    before = {path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in results.rglob("*")}
    command = [sys.executable, "-X", "importtime", "-m", "utils.runs.status", str(results)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "14 folds of 3 runs" in ended.stdout
    imported = {line.split("|")[-1].strip() for line in ended.stderr.splitlines() if line.startswith("import time")}
    assert "utils.runs.run_plan" in imported
    assert not {"torch", "pandas", "scipy", "matplotlib", "sklearn", "h5py", "tqdm"} & imported
    after = {path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in results.rglob("*")}
    assert after == before
