"""The protocol of submitit, by its own executor of this machine: real processes, its pickles, its signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from submitit import LocalExecutor

import main
from datasets.synthetic.cohort import CohortSettings, make_cohort
from tests.soak.comparison import contents
from tests.utils.launch.slurm import work
from tests.utils.launch.slurm.work import piece
from utils.launch.piece import Ended, Piece
from utils.launch.piece_file import write_pieces
from utils.launch.runs import run_pieces
from utils.launch.slurm.call import Call
from utils.launch.slurm.record import read_ended

pytestmark = [
    pytest.mark.slow,
    # Nobody takes the exit code of what submitit's executor has begun.
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
]
ROOT = Path(__file__).parents[4]


@pytest.fixture(autouse=True)
def program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def submit(place: Path, piece: Piece, *, max_num_timeout: int = 3) -> Any:
    write_pieces(place / "pieces.json", [piece], [piece])
    executor = LocalExecutor(place / "submitit", max_num_timeout=max_num_timeout)
    executor.update_parameters(timeout_min=2)
    return executor.submit(Call(str(place / "pieces.json"), 0))


def wait_until(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def numbers(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def test_a_result_is_in_json_and_in_no_pickle(tmp_path: Path):
    one = piece(tmp_path, "a", work.say, "well")
    job = submit(tmp_path, one)
    job._process.wait()
    assert read_ended(one) == Ended("a", 0, "well", (), ANY)
    assert [path.name for path in (tmp_path / "submitit").glob("*.pkl")] == [f"{job.job_id}_submitted.pkl"]
    assert b"work" not in job.paths.submitted_pickle.read_bytes()  # a file and a number are all that is in it


def test_the_signal_of_submitit_lets_the_piece_save_and_it_goes_on(tmp_path: Path):
    one = piece(tmp_path, "a", work.count, str(tmp_path / "n"), 60)
    job = submit(tmp_path, one)
    for last in (3, 20):
        wait_until(lambda last=last: len(numbers(tmp_path / "n")) > last)
        (task,) = _children(job._process.pid)
        os.kill(task, signal.SIGUSR2)
    job._process.wait()
    assert read_ended(one) == Ended("a", 0, "counted to 60", (), ANY)
    assert numbers(tmp_path / "n") == list(range(1, 61))
    said = job.paths.stderr.read_text() + job.paths.stdout.read_text()
    assert said.count("Requeued job") == 2
    assert (tmp_path / "logs" / "a.log").read_text().count("stopping after this step") == 2


def test_sigterm_outside_of_slurm_ends_the_job(tmp_path: Path):
    one = piece(tmp_path, "a", work.count, str(tmp_path / "n"), 10_000)
    job = submit(tmp_path, one)
    wait_until(lambda: len(numbers(tmp_path / "n")) > 3)
    job._process.send_signal(signal.SIGTERM)
    job._process.wait()
    assert read_ended(one) is None
    assert "prog: stopped by SIGTERM" in (tmp_path / "logs" / "a.log").read_text()


def test_a_piece_that_is_killed_is_tried_once_more(tmp_path: Path):
    for name, times, ended in (
        ("once", 1, Ended("once", 0, "went on", (), ANY)),
        ("always", 9, Ended("always", 1, "its process was killed by SIGKILL; was there enough memory (mem)?")),
    ):
        (tmp_path / name / "marks").mkdir(parents=True)
        one = piece(tmp_path / name, name, work.die, str(tmp_path / name / "marks"), times)
        submit(tmp_path / name, one)._process.wait()
        assert read_ended(one) == ended
        assert len(list((tmp_path / name / "marks").iterdir())) == 2


def _children(process: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def test_a_run_has_the_files_of_a_serial_one(tmp_path: Path):
    """Beginning, folds and end, each a job of submitit's executor."""
    made = make_cohort(tmp_path / "made", CohortSettings(task="cls", n_cases=16, n_folds=2, dim=8))
    places = ["--features_dir", made.features_dir, "--splits_dir", made.splits_dir, "--device", "cpu", "--threads", "1"]
    small = ["--embed_dim", "16", "--n_clusters", "8", "--epochs", "3", "--anchors", "random"]
    line = list(map(str, ["--task", "cls", "--dataset", "toy", *places, *small, "--results_dir"]))

    serial = subprocess.run([sys.executable, "main.py", *line, str(tmp_path / "serial")], cwd=ROOT, check=False)
    assert serial.returncode == 0
    settings = main.settings_of(main.parse_arguments([*line, str(tmp_path / "jobs")]))
    pieces = run_pieces(settings, (0, 1), main.STEPS, n_slots=None, label="", log=tmp_path / "logs" / "run.log")
    write_pieces(tmp_path / "pieces.json", pieces, pieces)
    executor = LocalExecutor(tmp_path / "submitit")
    executor.update_parameters(timeout_min=5)
    for number, each in enumerate(pieces):
        executor.submit(Call(str(tmp_path / "pieces.json"), number))._process.wait()
        ended = read_ended(each)
        assert ended is not None
        assert ended.status == 0, ended.said
    found, expected = (contents(tmp_path / name / "cls" / "toy" / "mico_released") for name in ("jobs", "serial"))
    assert sorted(found) == sorted(expected)
    names_the_folder = {"run.json", "report.html"}
    assert [name for name in found if found[name] != expected[name] and name not in names_the_folder] == []
    assert len([name for name in found if "predictions" in name]) == 6
