"""How far the runs below a folder are: which there are, their folds, failures, and planned runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.utils.runs.status.made_runs import finish, make_run, run_json, train
from utils.errors import UserError
from utils.files.atomic import write_json, write_text
from utils.files.locks import locked
from utils.runs.run_plan import COLUMNS
from utils.runs.status.run_progress import Progress, progress_of


def states(progress: Progress) -> dict[str, list[str]]:
    return {run.name: [fold.state for fold in run.folds] for run in progress.runs}


def test_runs_in_the_order_of_their_names_with_the_folds_that_were_asked_for(tmp_path: Path):
    make_run(tmp_path, "b", folds=[1])
    finish(make_run(tmp_path, "a", folds=[0, 2]), 2, [1.0] * 10)
    progress = progress_of(tmp_path)
    assert states(progress) == {"cls/toy/a": ["missing", "done"], "cls/toy/b": ["missing"]}
    assert [fold.fold for fold in progress.runs[0].folds] == [0, 2]
    assert (progress.runs[0].kind, progress.runs[0].epochs) == (("cls", "toy", "abmil"), 20)


@pytest.mark.parametrize(("place", "name"), [("cls", "toy/a"), ("cls/toy", "a"), ("cls/toy/a", "a")])
def test_a_folder_within_the_results(tmp_path: Path, place: str, name: str):
    make_run(tmp_path, "a")
    assert list(states(progress_of(tmp_path / place))) == [name]


def test_a_run_that_is_to_begin_has_only_locks(tmp_path: Path):
    run_dir = tmp_path / "cls/toy/a"
    with locked(run_dir / "fold0"), locked(run_dir / "fold1"):
        run = progress_of(tmp_path).runs[0]
        assert states(progress_of(tmp_path)) == {"cls/toy/a": ["running", "waiting"]}
        assert run.epochs is None


@pytest.mark.parametrize(
    ("stages", "expected"), [(["train"], "done"), (["train", "test"], "interrupted"), (["all"], "interrupted")]
)
def test_the_stages_that_were_asked_for_decide_what_done_is(tmp_path: Path, stages: list[str], expected: str):
    run_dir = make_run(tmp_path, "a", folds=[0], settings={"stage": stages[0]})
    record = {**run_json(run_dir), "resumed": [{"settings": {"stage": stage}} for stage in stages[1:]]}
    write_json(run_dir / "run.json", record)
    (finish(run_dir, 0, [1.0] * 10) / "predictions_test.csv").unlink()
    assert states(progress_of(tmp_path)) == {"cls/toy/a": [expected]}


def log(results_dir: Path, name: str, text: str, *, age: float = -10.0) -> None:
    path = results_dir / "logs" / f"{name}.log"
    write_text(path, text)
    now = path.stat().st_mtime - age
    os.utime(path, (now, now))


def test_the_fold_that_failed(tmp_path: Path):
    run_dir = make_run(tmp_path, "a")
    finish(run_dir, 0, [1.0] * 10)
    train(run_dir, 2, [1.0])
    log(tmp_path, "cls_toy_a", "main.py: error: val_loss is nan\n")
    run = progress_of(tmp_path).runs[0]
    assert [fold.state for fold in run.folds] == ["done", "missing", "failed", "missing"]
    assert run.failure == "main.py: error: val_loss is nan"
    log(tmp_path, "cls_toy_a", "main.py: error: val_loss is nan\n", age=100)  # the run was begun again since
    assert progress_of(tmp_path).runs[0].failure is None
    assert states(progress_of(tmp_path)) == {"cls/toy/a": ["done", "missing", "interrupted", "missing"]}


def test_a_run_at_work_and_one_that_is_done_have_not_failed(tmp_path: Path):
    done, running = make_run(tmp_path, "done", folds=[0]), make_run(tmp_path, "running", folds=[0])
    finish(done, 0, [1.0] * 10)
    for name in ("done", "running"):
        log(tmp_path, f"cls_toy_{name}", "main.py: error: of before\n")
    with locked(running / "fold0"):
        progress = progress_of(tmp_path)
    assert states(progress) == {"cls/toy/done": ["done"], "cls/toy/running": ["running"]}
    assert [run.failure for run in progress.runs] == [None, None]
    assert progress.failures == ()


def test_errors_of_other_jobs(tmp_path: Path):
    make_run(tmp_path, "a")
    log(tmp_path, "cls_toy_anchors_16", "run_clustering.py: error: no features\n")
    assert progress_of(tmp_path).failures == (("logs/cls_toy_anchors_16.log", "run_clustering.py: error: no features"),)


def plan(results_dir: Path, *names: str, dataset: str = "toy") -> None:
    rows = [f"cls,{dataset},abmil,none,,64,{seed},../cls/{dataset}/{name}" for seed, name in enumerate(names)]
    write_text(results_dir / "tables/plan.csv", "\n".join([",".join(COLUMNS), *rows]) + "\n")


def test_planned_runs_have_the_folds_of_their_data_set(tmp_path: Path):
    finish(make_run(tmp_path, "a", folds=[0, 1]), 0, [1.0] * 10)
    plan(tmp_path, "a", "b", "c")
    log(tmp_path, "cls_toy_c", "main.py: error: no features\n")
    progress = progress_of(tmp_path)
    expected = {
        "cls/toy/a": ["done", "missing"],
        "cls/toy/b": ["missing", "missing"],
        "cls/toy/c": ["failed", "missing"],
    }
    assert states(progress) == expected
    assert [run.failure for run in progress.runs] == [None, None, "main.py: error: no features"]
    assert [run.epochs for run in progress.runs] == [20, 20, 20]


def test_a_plan_of_which_nothing_has_begun(tmp_path: Path):
    plan(tmp_path, "a", "b")
    log(tmp_path, "cls_toy_a", "main.py: error: no features\n")
    progress = progress_of(tmp_path)
    assert states(progress) == {"cls/toy/a": [], "cls/toy/b": []}
    assert [run.failure for run in progress.runs] == ["main.py: error: no features", None]


def test_what_cannot_be_read_is_said_and_the_rest_is_shown(tmp_path: Path):
    make_run(tmp_path, "a")
    (make_run(tmp_path, "b") / "run.json").write_text("{")
    write_text(tmp_path / "tables/plan.csv", "task\ncls\n")
    progress = progress_of(tmp_path)
    assert list(states(progress)) == ["cls/toy/a"]
    damaged, of_plan = progress.problems
    assert f"{tmp_path / 'cls/toy/b/run.json'}: is no JSON text" in damaged
    assert "plan.csv: column dataset is missing" in of_plan


def test_a_folder_without_runs(tmp_path: Path):
    with pytest.raises(UserError, match=r"holds no run, expected TASK/DATASET/RUN_NAME/run\.json; name the folder"):
        progress_of(tmp_path)
    with pytest.raises(UserError, match="none: is no folder, expected one of results; name the folder"):
        progress_of(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file: is no folder, expected one of results"):
        progress_of(tmp_path / "file")
