from __future__ import annotations

import time

import pytest

from utils.machine import stopwatch
from utils.machine.stopwatch import Stopwatch, in_words


class Clock:
    """A clock that is moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_parts_add_up_and_the_rest_is_what_is_left(clock: Clock):
    watch = Stopwatch()

    def items():
        for item in (1, 2):
            clock.now += 1.0
            yield item

    for _ in watch.waiting(items(), "reading"):
        with watch.time("forward"):
            clock.now += 2.0
        with watch.time("backward"):
            clock.now += 3.0
        clock.now += 1.0
    assert dict(watch.seconds) == {"reading": 2.0, "forward": 4.0, "backward": 6.0}
    split = watch.split()
    assert split == {"reading": 2.0, "forward": 4.0, "backward": 6.0, "optimizer": 0.0, "the rest": 2.0, "total": 14.0}
    expected = "14.0 s: reading 14.3 %, forward 28.6 %, backward 42.9 %, optimizer 0.0 %, the rest 14.3 %"
    assert in_words(split) == expected


def test_a_part_that_ends_in_an_error_counts(clock: Clock):
    watch = Stopwatch()

    def fail() -> None:
        with watch.time("forward"):
            clock.now += 2.0
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert watch.seconds["forward"] == 2.0


def test_restart_forgets(clock: Clock):
    watch = Stopwatch()
    with watch.time("forward"):
        clock.now += 2.0
    watch.restart()
    clock.now += 1.0
    assert (watch.split()["forward"], watch.split()["total"]) == (0.0, 1.0)


def test_an_error_of_the_reader_reaches_the_caller():
    def broken():
        yield 1
        raise ValueError("broken file")

    with pytest.raises(ValueError, match="broken file"):
        list(Stopwatch().waiting(broken(), "reading"))


def test_it_counts_real_time():
    watch = Stopwatch()
    with watch.time("forward"):
        time.sleep(0.01)
    assert watch.seconds["forward"] >= 0.01
