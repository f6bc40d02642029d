"""Pieces as jobs of a stand-in for Slurm: order, failures, kills, requeues, and commands that come and go."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import ANY

import pytest

from tests.utils.launch.slurm import work
from tests.utils.launch.slurm.stand_in import StandIn
from tests.utils.launch.slurm.work import piece
from tests.utils.launch.work import Told
from utils.command.launch_options import LaunchOptions
from utils.errors import UserError
from utils.launch.piece import Ended, Piece
from utils.launch.slurm.launcher import SlurmLauncher
from utils.machine.interruption import Terminated

pytestmark = pytest.mark.slow


def launcher(*words: str, jobs: int | None = None) -> SlurmLauncher:
    options = LaunchOptions(launcher="slurm", slurm=("time=10", *words), jobs=jobs)
    return SlurmLauncher(options, device="cpu")


def launch(pieces: list[Piece], *words: str, jobs: int | None = None) -> tuple[list[Ended], Told]:
    told = Told()
    return launcher(*words, jobs=jobs).run(pieces, told), told


def wait_until(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def of(slurm: StandIn, program: str) -> list[list[str]]:
    return [words for name, *words in slurm.calls if name == program]


def numbers(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def test_stages_are_arrays_that_are_submitted_at_once_and_a_failure_stops_what_needs_it(slurm: StandIn, tmp_path: Path):
    pieces = [
        piece(tmp_path, "anchors", work.say, "warning: few", "fitted", kind="anchors"),
        piece(tmp_path, "a", work.say, kind="begin", needs=["anchors"]),
        piece(tmp_path, "b", work.fail, "no folds", kind="begin", needs=["anchors"]),
        piece(tmp_path, "a0", work.say, "well", needs=["a"]),
        piece(tmp_path, "a1", work.die, str(tmp_path / "always"), 9, needs=["a"]),
        piece(tmp_path, "b0", work.say, needs=["b"]),
        piece(tmp_path, "a end", work.say, kind="end", needs=["a0", "a1"]),
    ]
    (tmp_path / "always").mkdir()
    ended, told = launch(pieces, jobs=2)
    assert ended == [
        Ended("anchors", 0, "fitted", ("warning: few",), ANY),
        Ended("a", 0, "", (), ANY),
        Ended("b", 2, "prog: error: no folds", (), ANY),
        Ended("a0", 0, "well", (), ANY),
        Ended("a1", 1, "its process was killed by SIGKILL; was there enough memory (mem)?", (), ANY),
        Ended("b0", 1, "not run, because of: b"),
        Ended("a end", 1, "not run, because of: a1"),
    ]
    assert {each.label: each for each in told.results} == {each.label: each for each in ended}
    assert len(list((tmp_path / "always").iterdir())) == 2  # once more, and no more
    options = {job.array: job.options for job in slurm.jobs.values()}
    assert {array: (each.get("array"), each.get("dependency")) for array, each in options.items()} == {
        "101": (None, None),
        "102": ("0-1%2", "afterany:101"),
        "103": ("0-2%2", "afterany:102"),
        "104": (None, "afterany:103"),
    }
    left = [path.name for path in (tmp_path / "logs" / "slurm").rglob("*") if path.name.endswith((".pkl", ".tmp"))]
    assert left == []


def test_a_killed_piece_is_tried_once_more(slurm: StandIn, tmp_path: Path):
    (tmp_path / "marks").mkdir()
    ended, _ = launch([piece(tmp_path, "a", work.die, str(tmp_path / "marks"), 1)])
    assert ended == [Ended("a", 0, "went on", (), ANY)]


def interrupting(slurm: StandIn, numbers_in: Path, how: str, *after: int) -> threading.Thread:
    """Do something to the first job whenever a piece has counted so far."""

    def interrupt() -> None:
        for last in after:
            wait_until(lambda last=last: len(numbers(numbers_in)) > last)
            getattr(slurm, how)("101")

    thread = threading.Thread(target=interrupt)
    thread.start()
    return thread


def test_the_time_limit_puts_a_job_back_that_goes_on_from_what_it_has(slurm: StandIn, tmp_path: Path):
    """submitit counts a signal as the time limit late in it: here it is early, and counts for none."""
    thread = interrupting(slurm, tmp_path / "n", "warn", 3, 20)
    pieces = [piece(tmp_path, "a", work.count, str(tmp_path / "n"), 60)]
    ended, told = launch(pieces, "time=60", "max_num_timeout=0")
    thread.join()
    assert ended == [Ended("a", 0, "counted to 60", (), ANY)]
    assert numbers(tmp_path / "n") == list(range(1, 61))
    assert slurm.jobs["101"].restarts == 2
    assert told.waits == [("a", "its job was put back into the queue, and goes on from what it has saved")] * 2
    assert "stopping after this step" in (tmp_path / "logs" / "a.log").read_text()


def test_a_job_that_reaches_its_time_limit_too_often_ends(slurm: StandIn, tmp_path: Path):
    """With a limit of ten minutes any signal counts."""
    thread = interrupting(slurm, tmp_path / "n", "warn", 3, 20)
    (ended,), _ = launch([piece(tmp_path, "a", work.count, str(tmp_path / "n"), 10_000)], "max_num_timeout=1")
    thread.join()
    assert ended == Ended(
        "a", 1, "reached the time limit once more than max_num_timeout allows; the same command goes on"
    )
    assert slurm.jobs["101"].restarts == 1
    assert numbers(tmp_path / "n") == list(range(1, len(numbers(tmp_path / "n")) + 1))


def test_a_job_of_higher_priority_takes_the_place_and_the_piece_goes_on_later(slurm: StandIn, tmp_path: Path):
    thread = interrupting(slurm, tmp_path / "n", "preempt", 3)
    ended, _ = launch([piece(tmp_path, "a", work.count, str(tmp_path / "n"), 40)])
    thread.join()
    assert ended == [Ended("a", 0, "counted to 40", (), ANY)]
    assert numbers(tmp_path / "n") == list(range(1, 41))
    assert slurm.jobs["101"].restarts == 1


def test_a_job_that_is_cancelled_is_not_put_back(slurm: StandIn, tmp_path: Path):
    def cancel() -> None:
        wait_until(lambda: len(numbers(tmp_path / "n")) > 3)
        slurm.cancel("101_0")

    thread = threading.Thread(target=cancel)
    thread.start()
    pieces = [piece(tmp_path, "a", work.count, str(tmp_path / "n"), 10_000), piece(tmp_path, "b", work.say, "well")]
    ended, _ = launch(pieces)
    thread.join()
    assert ended[0] == Ended("a", 1, f"its job 101_0 was cancelled; logs of jobs are in {tmp_path / 'logs/slurm'}")
    assert ended[1].status == 0
    assert slurm.jobs["101_0"].state == "CANCELLED"


def test_a_command_that_ends_leaves_its_jobs_and_the_next_one_takes_them_up(
    slurm: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    pieces = [
        piece(tmp_path, "a", work.count, str(tmp_path / "n"), 60),
        piece(tmp_path, "b", work.say, "well"),
        piece(tmp_path, "end", work.say, "made", kind="end", needs=["a", "b"]),
    ]
    pid = os.getpid()
    threading.Thread(
        target=lambda: (wait_until(lambda: len(numbers(tmp_path / "n")) > 3), os.kill(pid, signal.SIGINT))
    ).start()
    with pytest.raises(Terminated):
        launch(pieces, jobs=1)
    said = "jobs of this launch go on without this command: the same command watches them again, scancel 101 102 ends"
    assert said in capsys.readouterr().out
    ended, _ = launch(pieces, jobs=1)
    assert [each.said for each in ended] == ["counted to 60", "well", "made"]
    assert numbers(tmp_path / "n") == list(range(1, 61))
    assert len(of(slurm, "sbatch")) == 2


def test_two_commands_submit_a_piece_once_and_both_see_how_it_ends(slurm: StandIn, tmp_path: Path):
    pieces = [piece(tmp_path, label, work.count, str(tmp_path / label), 10) for label in ("a", "b")]
    found: list[list[Ended]] = []
    thread = threading.Thread(target=lambda: found.append(launch(pieces)[0]))
    thread.start()
    found.append(launch(pieces)[0])
    thread.join()
    assert len(of(slurm, "sbatch")) == 1
    assert found[0] == found[1]
    assert numbers(tmp_path / "a") == list(range(1, 11))


def test_a_piece_in_the_queue_with_other_settings_is_refused(slurm: StandIn, tmp_path: Path):
    pieces = [piece(tmp_path, "a", work.count, str(tmp_path / "n"), 1000)]
    job = launcher().submit(pieces)["a"]
    other = [piece(tmp_path, "a", work.count, str(tmp_path / "n"), 2000)]
    with pytest.raises(UserError, match=rf"a is in the queue with other settings, as job {job}: wait until it has"):
        launcher().submit(other)
    slurm.cancel(job)


def test_what_sbatch_refuses_is_passed_on_and_nothing_stays_in_the_queue(slurm: StandIn, tmp_path: Path):
    config = tmp_path / "cluster.json"
    config.write_text(json.dumps({"partition": "cpu", "end": {"partition": "gone"}}))
    slurm.refusal = "gone"
    pieces = [piece(tmp_path, "a", work.say), piece(tmp_path, "end", work.say, kind="end", needs=["a"])]
    with pytest.raises(UserError, match=r"sbatch refused the jobs of end \(sbatch: error: .*specified: gone\): change"):
        launch(pieces, str(config))
    assert [job.state for job in slurm.jobs.values()] in (["CANCELLED"], ["COMPLETED"], ["COMPLETING"])


def test_a_controller_that_does_not_answer_is_waited_for(
    slurm: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    def silence() -> None:
        wait_until(lambda: len(numbers(tmp_path / "n")) > 3)
        slurm.silent = True
        wait_until(lambda: len(numbers(tmp_path / "n")) > 12)
        slurm.silent = False

    thread = threading.Thread(target=silence)
    thread.start()
    ended, _ = launch([piece(tmp_path, "a", work.count, str(tmp_path / "n"), 20, 0.2)])
    thread.join()
    assert ended[0].status == 0
    assert capsys.readouterr().out.count("squeue does not answer (slurm_load_jobs error: Unable to contact") == 1
    slurm.silent = True
    with pytest.raises(UserError, match="squeue does not answer"):
        launch([piece(tmp_path, "a", work.say)])


def test_a_piece_waits_for_another_process_that_writes_its_place(slurm: StandIn, tmp_path: Path):
    from utils.files.locks import locked

    place = tmp_path / "fold0"
    pieces = [piece(tmp_path, "a", work.write_in, str(place), places=(place,))]
    results: list[list[Ended]] = []
    thread = threading.Thread(target=lambda: results.append(launch(pieces)[0]))
    with locked(place):
        thread.start()
        wait_until(lambda: "is being written by process" in _text(tmp_path / "logs" / "a.log"))
        assert not results
    thread.join()
    assert results[0][0].status == 0


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""
