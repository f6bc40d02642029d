from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch

from utils.machine.threads import _say_that_no_thread_starts, map_in_threads


def test_results_come_in_the_order_of_the_items():
    """The first item ends last: it waits until every other has ended."""
    others = threading.Semaphore(0)

    def work(item: int) -> int:
        if item == 0:
            for _ in range(3):
                assert others.acquire(timeout=10)
        else:
            others.release()
        return item * item

    assert list(map_in_threads(work, range(4), workers=4)) == [0, 1, 4, 9]


@pytest.mark.parametrize("workers", [1, 3])
def test_items_are_taken_only_as_results_are(workers: int):
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(20):
            taken.append(item)
            yield item

    results = map_in_threads(lambda item: item, items(), workers)
    assert taken == []  # nothing happens before the first result is asked for
    for count in range(1, 10):
        assert next(results) == count - 1
        assert len(taken) == count + workers
    results.close()  # a reader that stops early does not hang
    assert len(taken) == 9 + workers


def test_as_many_items_are_under_way_as_there_are_workers():
    barrier = threading.Barrier(3)
    assert list(map_in_threads(lambda item: barrier.wait(timeout=10) >= 0, range(6), workers=3)) == [True] * 6


def test_the_first_error_stops_what_has_not_begun():
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 2:
            raise ValueError("item 2")
        return item

    results = map_in_threads(work, range(100), workers=2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="item 2"):
        next(results)
    assert max(begun) <= 3


def test_no_items_give_no_results():
    assert list(map_in_threads(str, [], workers=2)) == []


def test_torch_uses_one_core_in_each_thread_and_as_many_as_before_elsewhere():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        for within in map_in_threads(lambda _: torch.get_num_threads(), range(3), workers=2):
            assert (within, torch.get_num_threads()) == (1, 3)
        other: list[int] = []
        thread = threading.Thread(target=lambda: other.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        assert other == [3]
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("startable", [0, 1, 2])
def test_with_a_limit_on_threads_results_are_the_same(
    startable: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    start, started = threading.Thread.start, []

    def limited(thread: threading.Thread) -> None:
        if len(started) == startable:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    _say_that_no_thread_starts.cache_clear()
    monkeypatch.setattr(threading.Thread, "start", limited)
    threads = torch.get_num_threads()
    for _ in range(2):
        assert list(map_in_threads(lambda item: item * item, range(20), workers=4)) == [
            item * item for item in range(20)
        ]
        started.clear()
    assert torch.get_num_threads() == threads
    said = [record.getMessage() for record in caplog.records]
    assert (
        said
        == ["warning: the system starts no more threads (ulimit -u): files are read one after the other"][startable:]
    )


def test_with_no_thread_an_error_comes_where_its_item_is_taken(monkeypatch: pytest.MonkeyPatch):
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    results = map_in_threads(lambda item: 1 // item, [1, 0, 2], workers=2)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)
