"""The exit code of a command, and its one line."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from utils.errors import MachineError, UserError
from utils.machine.process import exit_code


def fails(error: BaseException) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


def says(capsys: pytest.CaptureFixture[str], work: Callable[[], object], status: int) -> str:
    assert exit_code(work, "prog", goes_on="with --resume it goes on") == status
    out, said = capsys.readouterr()
    assert out == ""
    assert said.count("\n") == 1
    assert said.endswith("\n")
    return said[:-1]


def test_work_that_is_done(capsys: pytest.CaptureFixture[str]):
    assert exit_code(lambda: print("well"), "prog") == 0  # noqa: T201
    assert capsys.readouterr() == ("well\n", "")


def test_what_a_user_can_fix(capsys: pytest.CaptureFixture[str]):
    assert says(capsys, fails(UserError("got 1, expected 2.")), 2) == "prog: error: got 1, expected 2."


def test_what_the_machine_refused_tells_how_to_go_on(capsys: pytest.CaptureFixture[str]):
    said = says(capsys, fails(MachineError("a.pt cannot be written (No space left on device): make room.")), 2)
    assert said == (
        "prog: error: a.pt cannot be written (No space left on device): make room; then with --resume it goes on"
    )


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EACCES, "", "a.csv"), "a.csv cannot be used (Permission denied): check the rights of"),
        (OSError(errno.EMFILE, "", "a.csv"), "a.csv cannot be used (Too many open files): raise the limit on open"),
        (OSError(errno.ENAMETOOLONG, "", "a" * 300), f"{'a' * 300} cannot be used (File name too long): use shorter"),
        (
            OSError(errno.EIO, os.strerror(errno.EIO)),
            "the system says (Input/output error): check the disk, or the con",
        ),
        (
            BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)),
            "the system says (Resource temporarily unavailable): r",
        ),
        (RuntimeError("can't start new thread"), "the system starts no more threads: raise the limit on processes"),
        (RuntimeError("std::bad_alloc"), "not enough memory (std::bad_alloc): take less at once, or add some"),
        (
            ImportError("libtorch_cpu.so: failed to map segment from shared object"),
            "not enough memory (libtorch_cpu.so",
        ),
        (
            MemoryError(),
            "not enough memory: take less at once, or add some; then with --resume it goes on",
        ),
    ],
)
def test_what_the_system_says(capsys: pytest.CaptureFixture[str], error: Exception, said: str):
    assert says(capsys, fails(error), 2).startswith(f"prog: error: {said}")


@pytest.mark.parametrize("work", [lambda: torch.empty(2**50), lambda: np.empty(2**50)], ids=["torch", "numpy"])
def test_memory_that_runs_out(capsys: pytest.CaptureFixture[str], work: Callable[[], object]):
    said = says(capsys, work, 2)
    assert said.startswith("prog: error: not enough memory (")
    assert "take less at once" in said


@pytest.mark.parametrize(
    ("number", "status", "word"),
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 143, "stopped by SIGTERM"),
        (signal.SIGHUP, 129, "stopped by SIGHUP"),
    ],
)
def test_signals(capsys: pytest.CaptureFixture[str], number: int, status: int, word: str):
    before = signal.getsignal(number)
    said = says(capsys, lambda: os.kill(os.getpid(), number), status)
    assert said == f"prog: {word}; with --resume it goes on"
    assert signal.getsignal(number) is before


def test_a_fault_of_the_program_is_seen_as_one():
    for fault in (RuntimeError("shapes do not fit"), ZeroDivisionError(), ValueError("a fault"), ImportError("no x")):
        with pytest.raises(type(fault)):
            exit_code(fails(fault), "prog")


def test_without_a_name(capsys: pytest.CaptureFixture[str]):
    assert exit_code(lambda: Path("nowhere/a.csv").read_text(), "") == 2
    assert capsys.readouterr().err == (
        "error: nowhere/a.csv cannot be used (No such file or directory): check whether its folder is still there; "
        "then the same command starts it again\n"
    )
