from __future__ import annotations

import os
import threading

import pytest

from utils.machine.thread_limit import keep_within_thread_limit, startable_threads

NAMES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def limit(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """No thread beyond this number can be started."""
    start, started = threading.Thread.start, []

    def limited(thread: threading.Thread) -> None:
        if len(started) == number:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)


def test_threads_are_counted_and_ended(monkeypatch: pytest.MonkeyPatch):
    before = threading.active_count()
    assert startable_threads(5) == 5
    limit(monkeypatch, 3)
    assert startable_threads(5) == 3
    assert threading.active_count() == before


def test_without_a_limit_nothing_changes():
    assert keep_within_thread_limit()
    assert not {*NAMES} & {*os.environ}


def test_with_a_limit_libraries_compute_in_one_thread(monkeypatch: pytest.MonkeyPatch):
    limit(monkeypatch, 3)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # the user's own number stays
    assert not keep_within_thread_limit()
    assert [os.environ.pop(name) for name in NAMES] == ["2", "1", "1"]
