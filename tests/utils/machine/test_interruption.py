"""Signals end the work of a process: where, how it is said, and what is put back."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator

import pytest

from utils.machine import interruption
from utils.machine.interruption import (
    SIGNALS,
    Requests,
    Terminated,
    at_boundaries,
    exit_status,
    signals_end_the_work,
)


@pytest.fixture(autouse=True)
def handlers_are_put_back() -> Iterator[None]:
    before = [signal.getsignal(number) for number in SIGNALS]
    yield
    assert [signal.getsignal(number) for number in SIGNALS] == before


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@contextlib.contextmanager
def stopped_at_boundaries(number: int = signal.SIGTERM) -> Iterator[Requests]:
    """As `at_boundaries`, for a block in which a first signal, of this number, comes."""
    with signals_end_the_work(), pytest.raises(Terminated) as raised, at_boundaries() as requests:
        yield requests
    assert raised.value.number == number


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGUSR1, 138), (signal.SIGXCPU, 152)],
)
def test_a_signal_raises_where_it_arrives_and_gives_the_exit_code(number: int, status: int) -> None:
    with signals_end_the_work(), pytest.raises(Terminated) as raised:
        send(number)
    assert raised.value.number == number
    assert exit_status(raised.value) == status


def test_a_terminated_process_is_an_interrupted_one_for_whoever_catches_it() -> None:
    assert issubclass(Terminated, KeyboardInterrupt)
    assert exit_status(KeyboardInterrupt()) == 130


@pytest.mark.parametrize("number", SIGNALS)
def test_what_is_ignored_stays_ignored(number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with signals_end_the_work():
            send(number)
            assert signal.getsignal(number) == signal.SIG_IGN
        assert signal.getsignal(number) == signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_at_boundaries_the_first_signal_asks_and_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    with stopped_at_boundaries() as requests:
        requests.check()
        send(signal.SIGTERM)
        assert requests.number == signal.SIGTERM
        with pytest.raises(Terminated):
            requests.check()
    assert capfd.readouterr().err == "\nSIGTERM: stopping after this step; a second one stops at once\n"


def test_ctrl_c_is_called_by_its_name(capfd: pytest.CaptureFixture[str]) -> None:
    with stopped_at_boundaries(signal.SIGINT):
        send(signal.SIGINT)
    assert "Ctrl-C: stopping after this step" in capfd.readouterr().err


def test_a_second_signal_raises_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruption, "ONE_REQUEST", 0.0)
    with stopped_at_boundaries(signal.SIGINT):
        send(signal.SIGINT)
        with pytest.raises(Terminated):
            send(signal.SIGINT)


@pytest.mark.parametrize("second", SIGNALS)
def test_a_signal_that_comes_by_two_ways_is_one(second: signal.Signals) -> None:
    """`timeout` signals its child and the group of it; a shell passes on what its scheduler sent to both."""
    with stopped_at_boundaries() as requests:
        send(signal.SIGTERM)
        send(second)
        assert requests.number == signal.SIGTERM


def test_a_signal_that_comes_twice_does_not_break_what_the_first_one_lets_finish() -> None:
    finished = []

    def work() -> None:
        try:
            send(signal.SIGTERM)
        finally:
            send(signal.SIGTERM)
            finished.append(True)

    with signals_end_the_work(), pytest.raises(Terminated):
        work()
    assert finished


def test_after_the_boundaries_a_signal_raises_again() -> None:
    with signals_end_the_work():
        with at_boundaries():
            pass
        with pytest.raises(Terminated):
            send(signal.SIGTERM)


def test_the_end_of_the_block_is_a_boundary() -> None:
    """A signal after the last `check` is not lost: the work after the block would not look for it."""
    with stopped_at_boundaries():
        send(signal.SIGTERM)


def test_a_request_is_forgotten_after_the_block() -> None:
    with stopped_at_boundaries():
        send(signal.SIGTERM)
    with signals_end_the_work(), at_boundaries() as requests:
        assert requests.number is None


def test_without_handlers_boundaries_change_nothing() -> None:
    with at_boundaries() as requests:
        requests.check()
    with pytest.raises(KeyboardInterrupt), at_boundaries():
        send(signal.SIGINT)


def test_outside_the_main_thread_nothing_changes() -> None:
    seen = []

    def work() -> None:
        with signals_end_the_work():
            seen.extend(signal.getsignal(number) for number in SIGNALS)

    before = [signal.getsignal(number) for number in SIGNALS]
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == before


def test_what_cannot_be_said_does_not_keep_the_work_from_stopping() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    kept = os.dup(2)
    os.dup2(writing, 2)
    try:
        with stopped_at_boundaries() as requests:
            send(signal.SIGTERM)
            assert requests.number == signal.SIGTERM
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(writing)
