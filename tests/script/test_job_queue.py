"""Jobs in processes of their own: order, needs, logs, failures."""

from __future__ import annotations

import os
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

import pytest

from script import job_queue
from script.job_queue import Ended, Job, redirected, run_job, run_jobs


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
