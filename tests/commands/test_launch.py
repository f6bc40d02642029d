"""`main.py` with its folds in processes of their own: the files of a serial run, whatever is killed on the way."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from datasets.synthetic.cohort import Cohort
from tests.commands.conftest import Command, cls_arguments, surv_arguments
from tests.commands.processes import LONG, PROTOCOL, epochs, files, finish, owner, start, wait_until
from tests.soak.comparison import contents

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("task", "threads"), [("cls", 2), ("surv", 1)])
def test_all_files_are_those_of_a_serial_run(
    task: str, threads: int, cls_cohort: Cohort, surv_cohort: Cohort, tmp_path: Path
):
    """Figures and report, too."""
    cohort, arguments = (cls_cohort, cls_arguments) if task == "cls" else (surv_cohort, surv_arguments)
    found, results = [], tmp_path / "results"  # the same place for both: run.json and the report name it
    for name, more in (("serial", ()), ("launched", ("--jobs", "2"))):
        line = [word for word in arguments(cohort, results, *PROTOCOL, *more) if word != "--no_figures"]
        finish(start(line, threads))
        results.rename(tmp_path / name)
        found.append(contents(tmp_path / name / task / "toy" / "run"))
    assert {"run.json", "report.html", "fold1/checkpoint.pt", "summary.json"} <= found[0].keys()
    assert found[0] == found[1]
    assert sorted(path.name for path in (tmp_path / "launched" / "logs").iterdir()) == [
        f"{task}_toy_run_fold{k}.log" for k in (0, 1)
    ]


def test_a_fold_that_is_killed_goes_on_from_its_last_epoch(
    cls_cohort: Cohort, long_run: dict[str, bytes], tmp_path: Path
):
    run_dir = tmp_path / "cls" / "toy" / "run"
    launched = start(cls_arguments(cls_cohort, tmp_path, *LONG, "--jobs", "2"))
    wait_until(lambda: epochs(run_dir / "fold1") >= 3)
    os.kill(owner(run_dir / "fold1"), signal.SIGKILL)
    out = finish(launched)
    assert "fold 1: its process was killed by SIGKILL; was there enough memory? It goes on once more" in out
    log = (tmp_path / "logs" / "cls_toy_run_fold1.log").read_text()
    assert log.count("fold 1 epoch 1 ") == 1
    assert files(run_dir) == long_run


def test_a_launcher_that_is_killed_takes_its_folds_with_it_and_the_same_command_goes_on(
    cls_cohort: Cohort, long_run: dict[str, bytes], tmp_path: Path
):
    run_dir = tmp_path / "cls" / "toy" / "run"
    arguments = cls_arguments(cls_cohort, tmp_path, *LONG, "--jobs", "2")
    launched = start(arguments)
    wait_until(lambda: all(epochs(run_dir / f"fold{k}") >= 2 for k in (0, 1)))
    launched.kill()
    launched.communicate()
    again = start([*arguments, "--resume"])  # its folds wait for what is left of the first
    finish(again)
    log = (tmp_path / "logs" / "cls_toy_run_fold0.log").read_text()
    assert "main.py: stopped by SIGTERM" in log
    assert log.count("fold 0 epoch 1 ") == 1
    assert files(run_dir) == long_run


def test_a_signal_lets_folds_save_what_they_have(cls_cohort: Cohort, long_run: dict[str, bytes], tmp_path: Path):
    run_dir = tmp_path / "cls" / "toy" / "run"
    arguments = cls_arguments(cls_cohort, tmp_path, *LONG, "--jobs", "2")
    launched = start(arguments)
    wait_until(lambda: epochs(run_dir / "fold0") >= 2)
    launched.send_signal(signal.SIGINT)
    _, said = launched.communicate(timeout=60)
    assert launched.returncode == 130
    assert said.splitlines()[-1] == "main.py: interrupted; the same command with --resume goes on from what is saved"
    assert "stopping after this step" in (tmp_path / "logs" / "cls_toy_run_fold0.log").read_text()
    finish(start([*arguments, "--resume"]))
    assert files(run_dir) == long_run


def test_two_launchers_of_one_run_share_its_folds(cls_cohort: Cohort, long_run: dict[str, bytes], tmp_path: Path):
    run_dir = tmp_path / "cls" / "toy" / "run"
    arguments = cls_arguments(cls_cohort, tmp_path, *LONG, "--jobs", "1", "--resume")
    launched = [start(arguments), start(arguments)]
    for each in launched:
        assert "2 of 2  done: " in finish(each)
    assert files(run_dir) == long_run
    logs = [(tmp_path / "logs" / f"cls_toy_run_fold{k}.log").read_text() for k in (0, 1)]
    assert [log.count(f"fold {k} epoch 1 ") for k, log in enumerate(logs)] == [1, 1]
    assert [log.count(f"fold {k} is finished") for k, log in enumerate(logs)] == [1, 1]


def test_results_that_are_there_are_refused_and_overwritten_as_without_a_launcher(
    cls_cohort: Cohort, run_main: Command, tmp_path: Path
):
    arguments = cls_arguments(cls_cohort, tmp_path, *PROTOCOL, "--jobs", "2")
    run_main(*arguments).check()
    before = contents(tmp_path / "cls" / "toy" / "run")
    refused = run_main(*arguments)
    assert refused.status == 2
    assert "already holds fold0 (finished), fold1 (finished): pass --resume" in refused.err
    run_main(*arguments, "--overwrite").check()
    assert contents(tmp_path / "cls" / "toy" / "run") == before
    explained = run_main(*arguments, "--stage", "explain", "--explain_cases", "1")
    assert explained.check().out.count("done: fold") == 2
    assert all((tmp_path / f"cls/toy/run/fold{k}/explain/cases.csv").exists() for k in (0, 1))
    tested = run_main(*arguments, "--stage", "test", "--overwrite")
    assert "predictions" not in tested.check().err
    assert contents(tmp_path / "cls" / "toy" / "run").keys() > before.keys()


def test_a_fold_that_fails_is_told_and_the_other_is_kept(cls_cohort: Cohort, run_main: Command, tmp_path: Path):
    """A folder stands in the place of a file of one fold."""
    run_dir = tmp_path / "cls" / "toy" / "run"
    arguments = cls_arguments(cls_cohort, tmp_path, *PROTOCOL, "--jobs", "2", "--resume")
    run_main(*arguments).check()
    (run_dir / "fold0" / "predictions_test.csv").unlink()
    (run_dir / "fold0" / "predictions_test.csv").mkdir()
    (run_dir / "summary.json").unlink()
    ended = run_main(*arguments)
    assert ended.status == 2
    assert ended.err.startswith("main.py: error: 1 of 2 folds failed (fold 0: main.py: error: ")
    assert "pass --resume to go on with what is left" in ended.err
    assert "FAILED: fold 0: " in ended.out
    assert "done: fold 1: " in ended.out
    assert not (run_dir / "summary.json").exists()
    (run_dir / "fold0" / "predictions_test.csv").rmdir()
    run_main(*arguments).check()
    assert (run_dir / "summary.json").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--gpus", "cpu", "--jobs_per_gpu", "2"], "got --jobs_per_gpu 2 with --gpus cpu, expected --jobs"),
        (["--launcher", "cluster"], "got --launcher cluster, expected one of local, slurm, ray"),
        (["--jobs", "0"], "got --jobs 0, expected 1 to 1024"),
    ],
)
def test_what_cannot_be_meant(cls_cohort: Cohort, run_main: Command, tmp_path: Path, options: list[str], words: str):
    ended = run_main(*cls_arguments(cls_cohort, tmp_path / "results", *options))
    assert ended.status == 2
    assert words in ended.err
    assert not (tmp_path / "results").exists()
