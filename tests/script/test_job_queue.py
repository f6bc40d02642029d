"""Jobs in processes of their own: order, needs, logs, failures."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from unittest.mock import ANY

import pytest

from datasets.synthetic.cohort import CohortSettings, make_cohort
from script import job_queue
from script.job_queue import Ended, Job, redirected, run_job, run_jobs
from utils.machine.interruption import Terminated, exit_status, signals_end_the_work
from utils.machine.streams import open_log

ROOT = Path(__file__).parents[2]


def job_of(tmp_path, label: str, *arguments: str, needs: str = "") -> Job:
    return Job(label, "run_clustering", arguments, tmp_path / f"{label}.log", needs)


def test_a_refused_job_says_why_and_those_that_need_it_are_not_run(tmp_path):
    nowhere = ("--dataset_name", "x", "--input_dir", str(tmp_path / "nowhere"), "--output_dir", str(tmp_path / "out"))
    jobs = [
        job_of(tmp_path, "runs", needs="anchors"),
        job_of(tmp_path, "anchors", *nowhere),
        job_of(tmp_path, "options", *nowhere, "--no_such_option"),
    ]
    reported: list[Ended] = []
    ended = run_jobs(jobs, 2, reported.append)
    assert [job.label for job in ended] == ["runs", "anchors", "options"]
    assert {job.label for job in reported} == {"runs", "anchors", "options"}
    assert ended[0] == Ended("runs", 1, "not run, because of: anchors")
    assert ended[1].status == ended[2].status == 2
    assert "nowhere" in ended[1].said
    assert "--no_such_option" in ended[2].said
    assert (tmp_path / "anchors.log").read_text().strip() == ended[1].said
    assert not (tmp_path / "runs.log").exists()


class Command:
    """Stands for a command's module."""

    def __init__(self, body) -> None:
        self.body = body

    def get_args_parser(self) -> Command:
        return self

    def parse_args(self, arguments: tuple[str, ...]) -> tuple[str, ...]:
        return arguments

    def main(self, arguments: tuple[str, ...]) -> int:
        return self.body(arguments)


def test_all_output_is_in_the_log_and_warnings_are_handed_on(tmp_path, monkeypatch, capfd):
    def body(arguments):
        os.write(1, b"from C\n")
        os.write(2, b"warning: begun again\n")
        os.write(1, b"last\n")
        return 0

    monkeypatch.setattr(job_queue.importlib, "import_module", lambda name: Command(body))
    ended = run_job(job_of(tmp_path, "a"))
    assert (ended.status, ended.said, ended.warnings) == (0, "last", ("warning: begun again",))
    assert capfd.readouterr() == ("", "")
    os.write(1, b"afterwards\n")
    assert capfd.readouterr().out == "afterwards\n"


def test_a_bug_is_a_failure_with_its_traceback_in_the_log(tmp_path, monkeypatch):
    def body(arguments):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(job_queue.importlib, "import_module", lambda name: Command(body))
    ended = run_job(job_of(tmp_path, "a"))
    assert (ended.status, ended.said) == (1, "ZeroDivisionError: a bug")
    assert "Traceback" in (tmp_path / "a.log").read_text()


def test_an_interrupted_job_stops_the_queue(tmp_path, monkeypatch):
    class Pool:
        """Runs each job at once, in this process."""

        def __init__(self, *arguments, **options) -> None:
            self.submitted: list[str] = []

        def __enter__(self) -> Pool:
            return self

        def __exit__(self, *error) -> None:
            pass

        def submit(self, function, job: Job) -> Future:
            future: Future = Future()
            future.set_result(Ended(job.label, 130 if job.label == "b" else 0, ""))
            return future

        def shutdown(self, cancel_futures: bool) -> None:
            pass

    monkeypatch.setattr(job_queue, "ProcessPoolExecutor", Pool)
    reported: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        run_jobs([job_of(tmp_path, label) for label in "abc"], 1, lambda ended: reported.append(ended.label))
    assert reported == ["a", "b"]


def test_a_signal_before_a_job_has_begun_ends_it_before_its_work(tmp_path, monkeypatch):
    """One that comes while its packages are imported, or between two jobs, is remembered."""

    def import_module(name):
        os.kill(os.getpid(), signal.SIGTERM)
        return Command(lambda arguments: began.append(arguments) or 0)

    began: list[object] = []
    monkeypatch.setattr(job_queue, "_remembered", [])
    monkeypatch.setattr(job_queue.importlib, "import_module", import_module)
    assert run_job(job_of(tmp_path, "a")).status == 143
    assert began == []
    assert run_job(job_of(tmp_path, "b")).status == 143


def test_a_process_of_the_queue_outlives_signals_between_its_jobs(tmp_path):
    """It remembers them, however many threads an earlier job has left it: its jobs end before they begin."""
    code = """
import os, signal, sys, threading, time
from pathlib import Path
from unittest.mock import ANY
from script import job_queue
signal.pthread_sigmask(signal.SIG_BLOCK, job_queue.SIGNALS)
job_queue._begin()
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
for number in job_queue.SIGNALS:
    os.kill(os.getpid(), number)
print(job_queue.run_job(job_queue.Job("a", "run_clustering", (), Path(sys.argv[1]))).status)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.log")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "130\n", "")


def test_a_signal_in_a_job_is_its_own(tmp_path, monkeypatch):
    def body(arguments):
        with signals_end_the_work():
            try:
                os.kill(os.getpid(), signal.SIGHUP)
            except Terminated as stopped:
                return exit_status(stopped)

    monkeypatch.setattr(job_queue.importlib, "import_module", lambda name: Command(body))
    assert run_job(job_of(tmp_path, "a")).status == 129


QUEUE = """
import sys
from pathlib import Path
from unittest.mock import ANY
from script.job_queue import Job, run_jobs
from utils.machine.process import exit_code
place = Path(sys.argv[1])
jobs = [Job(name, "main", (*sys.argv[2:], "--run_name", name), place / f"{name}.log") for name in "abc"]
sys.exit(exit_code(lambda: run_jobs(jobs, 2, lambda ended: None), "prog"))
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_queue_lets_its_jobs_save_what_they_have(tmp_path, number):
    """Only the queue is signalled, as by `kill`: its two running jobs save what they have, and no third begins."""
    cohort = make_cohort(tmp_path / "cohort", CohortSettings(task="cls", n_cases=12, n_folds=2, dim=8))
    options = "--task cls --dataset d --anchors random --n_clusters 8 --embed_dim 16 --folds 0 --no_figures"
    places = ["--features_dir", cohort.features_dir, "--splits_dir", cohort.splits_dir, "--results_dir", tmp_path / "r"]
    long = [*options.split(), *map(str, places), "--epochs", "100000", "--patience", "100000"]
    queue = subprocess.Popen(
        [sys.executable, "-c", QUEUE, str(tmp_path), *long], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    last = [tmp_path / "r" / "cls" / "d" / name / "fold0" / "last.pt" for name in "ab"]
    deadline = time.monotonic() + 120
    while not all(path.exists() for path in last) and time.monotonic() < deadline:
        time.sleep(0.05)
    queue.send_signal(number)
    _, said = queue.communicate(timeout=60)
    assert queue.returncode == 128 + number, said
    assert "Traceback" not in said
    for name in "ab":
        log = (tmp_path / f"{name}.log").read_text()
        assert "stopping after this step; a second one stops at once" in log
        assert log.splitlines()[-1].startswith("main.py: ")
        assert "the same command with --resume goes on" in log.splitlines()[-1]
    assert not (tmp_path / "c.log").exists()


def test_a_killed_process_is_a_failure(tmp_path):
    future: Future = Future()
    future.set_exception(BrokenProcessPool())
    assert job_queue._result(future, job_of(tmp_path, "a")) == Ended("a", 1, job_queue.KILLED)


def test_jobs_after_a_killed_process_are_reported_too(tmp_path, monkeypatch):
    class Pool:
        """Its only process is killed in the first job."""

        def __init__(self, *arguments, **options) -> None:
            self.is_broken = False

        def __enter__(self) -> Pool:
            return self

        def __exit__(self, *error) -> None:
            pass

        def submit(self, function, job: Job) -> Future:
            if self.is_broken:
                raise BrokenProcessPool
            self.is_broken = True
            future: Future = Future()
            future.set_exception(BrokenProcessPool())
            return future

    monkeypatch.setattr(job_queue, "ProcessPoolExecutor", Pool)
    ended = run_jobs([job_of(tmp_path, label) for label in "ab"], 1, lambda job: None)
    assert [(job.status, job.said) for job in ended] == [(1, job_queue.KILLED), (1, job_queue.NOT_BEGUN)]


def test_redirection_ends_with_an_error_too(tmp_path, capfd):
    def fail() -> None:
        with redirected(tmp_path / "log"):
            os.write(1, b"hidden\n")
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fail()
    os.write(1, b"seen\n")
    assert capfd.readouterr().out == "seen\n"
    assert (tmp_path / "log").read_text() == "hidden\n"


def test_a_full_disk_costs_the_lines_of_a_log_and_not_the_job(tmp_path, monkeypatch, capfd):
    def body(arguments):
        print("x" * 100_000)  # noqa: T201
        return 0

    monkeypatch.setattr(job_queue.importlib, "import_module", lambda name: Command(body))
    monkeypatch.setattr(job_queue, "open_log", lambda path: open_log("/dev/full"))
    (tmp_path / "a.log").write_text("before\n")
    assert run_job(job_of(tmp_path, "a")) == Ended("a", 0, "", (), ANY)


def test_a_log_that_cannot_be_written_fails_its_own_job(tmp_path):
    (tmp_path / "file").write_text("")
    job = Job("a", "run_clustering", (), tmp_path / "file" / "a.log")
    ended = run_jobs([job], 1, lambda ended: None)
    assert (ended[0].status, ended[0].said) == (
        1,
        f"{job.log} cannot be written (File exists): a file has the name of a folder that is needed: move it, or give "
        "another place",
    )
