"""How far each fold of a run is, by its files and its lock."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.utils.runs.status.made_runs import finish, make_run, run_json, train
from utils.files.locks import lock_path, locked
from utils.runs.run_dir import fold_dir
from utils.runs.status.fold_progress import FoldProgress, folds_of_run


def states(run_dir: Path, folds: tuple[int, ...] = (0, 1, 2, 3)) -> list[str]:
    return [fold.state for fold in progress(run_dir, folds)]


def progress(run_dir: Path, folds: tuple[int, ...] = (0, 1, 2, 3)) -> tuple[FoldProgress, ...]:
    locks = [k for k in folds if lock_path(fold_dir(run_dir, k)).exists()]
    return folds_of_run(run_dir, folds, locks, {**run_json(run_dir)["settings"], "task": "cls"})


def test_done_interrupted_and_missing(tmp_path: Path):
    run_dir = make_run(tmp_path, "abmil")
    finish(run_dir, 0, [2.0] * 10)
    train(run_dir, 1, [2.0] * 3)
    (run_dir / "fold2").mkdir()
    assert states(run_dir) == ["done", "interrupted", "missing", "missing"]
    (run_dir / "fold2/last.pt").write_text("stopped within the first epoch")
    done, begun, first, _ = progress(run_dir)
    assert first.state == "interrupted"
    assert (done.trained, begun.trained, first.trained) == (True, False, False)
    assert begun.seconds == (2.0, 2.0, 2.0)


def test_a_training_at_its_end_without_predictions(tmp_path: Path):
    run_dir = make_run(tmp_path, "abmil", settings={"epochs": 3})
    train(run_dir, 0, [2.0] * 3)
    fold = progress(run_dir)[0]
    assert (fold.state, fold.trained) == ("interrupted", True)


def test_a_process_holds_all_of_its_folds_and_works_on_the_first_that_is_not_done(tmp_path: Path):
    run_dir = make_run(tmp_path, "abmil")
    with ExitStack() as held:
        for k in (0, 1, 2):
            held.enter_context(locked(fold_dir(run_dir, k)))
        assert states(run_dir) == ["running", "waiting", "waiting", "missing"]
        finish(run_dir, 0, [2.0] * 10)
        assert states(run_dir) == ["done", "running", "waiting", "missing"]
        running = progress(run_dir)[1]
        assert running.owner is not None
        assert running.owner.process == os.getpid()
    assert states(run_dir) == ["done", "missing", "missing", "missing"]


def test_the_youngest_log_tells_which_fold_a_process_works_on(tmp_path: Path):
    run_dir = make_run(tmp_path, "abmil")
    old = train(run_dir, 1, [2.0])
    os.utime(old / "log.csv", (1e9, 1e9))  # left by a process of before
    with locked(fold_dir(run_dir, 0)), locked(fold_dir(run_dir, 1)), locked(fold_dir(run_dir, 2)):
        assert states(run_dir) == ["running", "waiting", "waiting", "missing"]
        train(run_dir, 2, [2.0])
        assert states(run_dir) == ["waiting", "waiting", "running", "missing"]


@pytest.mark.parametrize("content", ["", "{", "left behind"])
def test_the_lock_of_a_killed_process(tmp_path: Path, content: str):
    run_dir = make_run(tmp_path, "abmil")
    train(run_dir, 0, [2.0])
    lock_path(fold_dir(run_dir, 0)).write_text(content)
    assert states(run_dir) == ["interrupted", "missing", "missing", "missing"]


def test_more_epochs_and_other_stages(tmp_path: Path):
    run_dir = make_run(tmp_path, "abmil", settings={"epochs": 3})
    place = finish(run_dir, 0, [2.0] * 3)
    train(run_dir, 0, [2.0] * 3)
    settings = {**run_json(run_dir)["settings"], "task": "cls"}
    assert folds_of_run(run_dir, [0], [], settings)[0].state == "done"
    assert folds_of_run(run_dir, [0], [], {**settings, "epochs": 4})[0].state == "interrupted"
    (place / "predictions_test.csv").unlink()
    assert folds_of_run(run_dir, [0], [], settings)[0].state == "interrupted"
    assert folds_of_run(run_dir, [0], [], {**settings, "stage": "train"})[0].state == "done"
