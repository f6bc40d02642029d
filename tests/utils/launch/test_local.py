"""Pieces in processes of their own: order, needs, failures, processes that are killed, places of others, signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import ANY

import pytest

from tests.utils.launch import work
from tests.utils.launch.work import Told, piece
from utils.command.launch_options import LaunchOptions
from utils.files.locks import locked
from utils.launch import schedule
from utils.launch.local import LocalLauncher
from utils.launch.piece import Ended, Piece

pytestmark = pytest.mark.usefixtures("light_server")

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given, so that no piece needs torch to be told of its share."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def launch(pieces: list[Piece], jobs: int = 2) -> tuple[list[Ended], Told]:
    told = Told()
    return LocalLauncher(LaunchOptions(jobs=jobs), device="cpu").run(pieces, told), told


def test_each_after_those_that_it_needs(tmp_path: Path):
    pieces = [
        piece(tmp_path, "end", work.say, "end", needs=("one", "two")),
        piece(tmp_path, "one", work.say, "warning: a", "1"),
        piece(tmp_path, "two", work.say, "2", needs=("one",)),
    ]
    (tmp_path / "one.log").write_text("warning: of an earlier call\n")
    ended, told = launch(pieces)
    assert told.begun == ["one", "two", "end"]
    assert ended == [
        Ended("end", 0, "end", (), ANY),
        Ended("one", 0, "1", ("warning: a",), ANY),
        Ended("two", 0, "2", (), ANY),
    ]
    assert sorted(told.results, key=lambda each: each.label) == sorted(ended, key=lambda each: each.label)
    assert all(each.seconds > 0 for each in ended)


def test_a_failure_takes_those_that_need_it_and_no_other(tmp_path: Path):
    pieces = [
        piece(tmp_path, "tables", work.say, needs=("run",)),
        piece(tmp_path, "run", work.say, needs=("anchors",)),
        piece(tmp_path, "anchors", work.fail, "no features"),
        piece(tmp_path, "other", work.say, "well"),
    ]
    ended, _ = launch(pieces)
    assert ended == [
        Ended("tables", 1, "not run, because of: run"),
        Ended("run", 1, "not run, because of: anchors"),
        Ended("anchors", 2, "prog: error: no features", (), ANY),
        Ended("other", 0, "well", (), ANY),
    ]
    assert not (tmp_path / "run.log").exists()


def test_what_is_needed_is_among_the_pieces(tmp_path: Path):
    with pytest.raises(ValueError, match=r"got pieces that need \['nothing'\]"):
        launch([piece(tmp_path, "a", work.say, needs=("nothing",))])


def test_a_killed_piece_is_tried_once_more_and_its_neighbours_go_on(tmp_path: Path):
    for name in ("once", "always"):
        (tmp_path / name).mkdir()
    pieces = [
        piece(tmp_path, "once", work.die, tmp_path / "once", 1),
        piece(tmp_path, "always", work.die, tmp_path / "always", 9),
        piece(tmp_path, "neighbour", work.say, "well"),
        piece(tmp_path, "after", work.say, needs=("always",)),
    ]
    ended, told = launch(pieces)
    assert ended == [
        Ended("once", 0, "went on", (), ANY),
        Ended("always", 1, "its process was killed by SIGKILL; was there enough memory?", (), ANY),
        Ended("neighbour", 0, "well", (), ANY),
        Ended("after", 1, "not run, because of: always"),
    ]
    assert [len(list((tmp_path / name).iterdir())) for name in ("once", "always")] == [2, 2]
    again = "its process was killed by SIGKILL; was there enough memory? It goes on once more from what it has saved"
    assert sorted(told.waits) == [("always", again), ("once", again)]


def test_a_piece_waits_for_another_process_that_writes_its_place(tmp_path: Path):
    """It takes no place from others meanwhile, and is done in the end."""
    place = tmp_path / "fold0"
    pieces = [
        piece(tmp_path, "held", work.write_in, place, places=(place,)),
        piece(tmp_path, "free", work.write_in, tmp_path / "fold1"),
    ]
    begun = time.monotonic()
    with locked(place):
        threading.Thread(target=lambda: (time.sleep(2), os.write(write, b"x")), daemon=True).start()
        read, write = os.pipe()
        results: list[list[Ended]] = []
        thread = threading.Thread(target=lambda: results.append(launch(pieces, jobs=1)[0]))
        thread.start()
        os.read(read, 1)
        assert (tmp_path / "free.log").exists()
        assert not (tmp_path / "held.log").exists()
    thread.join()
    assert [each.status for each in results[0]] == [0, 0]
    assert time.monotonic() - begun > 2


def test_a_place_that_is_taken_first_by_another_process_is_no_failure(tmp_path: Path):
    """The lock is not seen before the piece begins."""
    place = tmp_path / "fold0"
    pieces = [piece(tmp_path, label, work.write_in, place, 0.5) for label in ("a", "b")]
    ended, told = launch(pieces)
    assert [each.status for each in ended] == [0, 0]
    assert len((tmp_path / "written").read_text().splitlines()) == 2
    assert len(told.waits) == 1
    assert told.waits[0][1].startswith(f"waiting: prog: error: {place} is being written by process")


def test_a_log_that_cannot_be_written_fails_its_own_piece(tmp_path: Path):
    (tmp_path / "file").write_text("")
    ended, _ = launch([piece(tmp_path / "file", "a", work.say), piece(tmp_path, "b", work.say, "well")])
    assert [(each.status, each.said) for each in ended] == [
        (
            1,
            f"{tmp_path / 'file' / 'a.log'} cannot be written (File exists): a file has the name of a folder that is "
            "needed: move it, or give another place",
        ),
        (0, "well"),
    ]


LAUNCH = """
import sys
from pathlib import Path
from tests.utils.launch import work
from utils.command.launch_options import LaunchOptions
from utils.launch import process
from utils.launch.local import LocalLauncher
from utils.machine.process import exit_code
process.PRELOADED = ()
place = Path(sys.argv[1])
pieces = [work.piece(place, name, work.wait_for_a_signal, place / name) for name in "abc"]
launcher = LocalLauncher(LaunchOptions(jobs=2), device="cpu")
sys.exit(exit_code(lambda: launcher.run(pieces, work.Told()), "prog"))
"""


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A launcher of its own that has begun two of three pieces."""
    command = [sys.executable, "-c", LAUNCH, str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True)
    with process:
        try:
            until = time.monotonic() + 120
            while not all((tmp_path / name).exists() for name in "ab") and time.monotonic() < until:
                time.sleep(0.02)
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("to_all", [False, True], ids=["to the launcher", "to its group"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_lets_pieces_end_by_themselves(
    tmp_path: Path, launcher: subprocess.Popen[str], number: signal.Signals, to_all: bool
):
    """As by `kill`, and as by Ctrl-C, a terminal that closes, or `timeout`; no third piece begins."""
    (os.killpg if to_all else os.kill)(launcher.pid, number)
    _, said = launcher.communicate(timeout=120)
    assert launcher.returncode == 128 + number
    word = "interrupted" if number == signal.SIGINT else f"stopped by {number.name}"
    assert said == f"prog: {word}; the same command starts it again\n"
    for name in "ab":
        assert (tmp_path / f"{name}.log").read_text() == f"prog: {word}; the same command goes on from what is saved\n"
    assert not (tmp_path / "c.log").exists()


def test_pieces_end_with_a_launcher_that_is_killed(tmp_path: Path, launcher: subprocess.Popen[str]):
    launcher.kill()
    launcher.communicate()
    until = time.monotonic() + 120
    logs = [tmp_path / f"{name}.log" for name in "ab"]
    while not all(log.read_text() for log in logs) and time.monotonic() < until:
        time.sleep(0.02)
    for log in logs:
        assert log.read_text() == "prog: stopped by SIGTERM; the same command goes on from what is saved\n"
    assert not (tmp_path / "c.log").exists()


def test_a_piece_that_a_signal_ended_stops_the_launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Ctrl-C may reach the pieces first."""
    monkeypatch.setattr(schedule, "INTERRUPTED", {2: signal.SIGINT})
    told = Told()
    pieces = [piece(tmp_path, "a", work.fail, "as by a signal"), piece(tmp_path, "b", work.say)]
    with pytest.raises(KeyboardInterrupt):
        LocalLauncher(LaunchOptions(jobs=1), device="cpu").run(pieces, told)
    assert told.begun == ["a"]
