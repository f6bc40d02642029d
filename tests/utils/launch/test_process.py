"""The process of a piece: its log, its exit code, signals, and what its environment says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.utils.launch import work
from tests.utils.launch.work import piece
from utils.files.locks import locked
from utils.launch import process
from utils.launch.piece import HELD
from utils.launch.process import environment, redirected, run_piece, start
from utils.launch.slots import Slot
from utils.machine.interruption import Terminated, exit_status, signals_end_the_work
from utils.machine.streams import open_log

ROOT = Path(__file__).parents[3]


def test_all_output_is_in_the_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    def body() -> None:
        os.write(1, b"from C\n")
        os.write(2, b"warning: begun again\n")
        print("last")  # noqa: T201

    assert run_piece(piece(tmp_path, "a", body)) == 0
    assert (tmp_path / "a.log").read_text() == "from C\nwarning: begun again\nlast\n"
    assert capfd.readouterr() == ("", "")
    os.write(1, b"afterwards\n")
    assert capfd.readouterr().out == "afterwards\n"


def test_what_a_user_can_fix_is_one_sentence_in_the_log(tmp_path: Path):
    assert run_piece(piece(tmp_path, "a", work.fail, "no such file")) == 2
    assert (tmp_path / "a.log").read_text() == "prog: error: no such file\n"


def test_a_bug_is_a_failure_with_its_traceback_in_the_log(tmp_path: Path):
    def body() -> None:
        raise ZeroDivisionError("a bug")

    assert run_piece(piece(tmp_path, "a", body)) == 1
    lines = (tmp_path / "a.log").read_text().splitlines()
    assert lines[0].startswith("Traceback")
    assert lines[-1] == "ZeroDivisionError: a bug"


def test_a_place_that_another_process_writes_has_an_exit_code_of_its_own(tmp_path: Path):
    with locked(tmp_path / "fold0"):
        assert run_piece(piece(tmp_path, "a", work.write_in, tmp_path / "fold0")) == HELD
    assert "is being written by process" in (tmp_path / "a.log").read_text()
    assert run_piece(piece(tmp_path, "a", work.write_in, tmp_path / "fold0")) == 0


def test_a_signal_before_the_work_has_begun_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    began: list[int] = []
    monkeypatch.setattr(process, "_remembered", [signal.SIGTERM])
    assert run_piece(piece(tmp_path, "a", lambda: began.append(1))) == 143
    assert began == []


def test_a_signal_in_the_work_is_its_own(tmp_path: Path):
    def body() -> None:
        with signals_end_the_work():
            os.kill(os.getpid(), signal.SIGHUP)

    assert run_piece(piece(tmp_path, "a", body)) == 129
    assert (tmp_path / "a.log").read_text() == "prog: stopped by SIGHUP; the same command goes on from what is saved\n"
    assert exit_status(Terminated(signal.SIGHUP)) == 129


def test_the_process_of_a_piece_outlives_signals_before_its_work(tmp_path: Path):
    """They waited while it was begun: it remembers them, and its work does not begin."""
    code = """
import os, signal, sys
from pathlib import Path
from tests.utils.launch import work
from utils.launch import process
signal.pthread_sigmask(signal.SIG_BLOCK, process.SIGNALS)
for number in process.SIGNALS:
    os.kill(os.getpid(), number)
process.live(work.piece(Path(sys.argv[1]), "a", work.say, "begun"), None)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (129, "", "")  # that of the lowest number comes first
    assert (tmp_path / "a.log").read_text().startswith("prog: stopped by SIGHUP")


def test_redirection_ends_with_an_error_too(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    def fail() -> None:
        with redirected(tmp_path / "log"):
            os.write(1, b"hidden\n")
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fail()
    os.write(1, b"seen\n")
    assert capfd.readouterr().out == "seen\n"
    assert (tmp_path / "log").read_text() == "hidden\n"


def test_a_full_disk_costs_the_lines_of_a_log_and_not_the_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(process, "open_log", lambda path: open_log("/dev/full"))
    (tmp_path / "a.log").write_text("before\n")
    assert run_piece(piece(tmp_path, "a", lambda: print("x" * 100_000))) == 0  # noqa: T201
    assert (tmp_path / "a.log").read_text() == "before\n"


def test_variables_are_put_back(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("A_B", "before")
    with environment(A_B="in", C_D="in"):
        assert (os.environ["A_B"], os.environ["C_D"]) == ("in", "in")
    assert os.environ["A_B"] == "before"
    assert "C_D" not in os.environ


@pytest.mark.usefixtures("light_server")
def test_each_piece_has_its_gpu_and_its_share_of_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Also where the server of the pieces on the CPU is there already."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    names = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")
    slots = {"a": Slot("0"), "b": Slot("GPU-8932f937"), "c": Slot()}
    pieces = {label: piece(tmp_path, label, work.variables, *names) for label in slots}
    started = [start(pieces[label], slot, 3) for label, slot in slots.items()]
    for each in started:
        each.join()
    assert [each.exitcode for each in started] == [0, 0, 0]
    found = {label: (tmp_path / f"{label}.log").read_text().splitlines() for label in slots}
    assert found == {
        "a": ["CUDA_VISIBLE_DEVICES=0", "OMP_NUM_THREADS=3"],
        "b": ["CUDA_VISIBLE_DEVICES=GPU-8932f937", "OMP_NUM_THREADS=3"],
        "c": ["CUDA_VISIBLE_DEVICES=None", "OMP_NUM_THREADS=3"],
    }
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


@pytest.mark.slow  # imports torch
@pytest.mark.usefixtures("light_server")
def test_torch_computes_in_the_share_of_threads_whatever_the_server_was_begun_for(tmp_path: Path):
    for label, threads in (("a", 2), ("b", 1)):
        started = start(piece(tmp_path, label, work.threads), Slot(), threads)
        started.join()
        assert started.exitcode == 0
    assert (tmp_path / "a.log").read_text() == "2 threads, in 2\n"
    assert (tmp_path / "b.log").read_text() == "1 threads, in 2\n"
