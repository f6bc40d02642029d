"""Reading ahead with threads."""

from __future__ import annotations

import functools
import logging
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")
_log = logging.getLogger(__name__)
_NO_THREAD = "can't start new thread"


def map_in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Generator[Result, None, None]:
    """Results of `function` in the order of the items, computed in threads.

    At most `workers` items are under way or waiting to be taken, so that memory stays bounded however slow the reader
    is; `ThreadPoolExecutor.map` would start all of them. The first error stops what has not begun.

    Where the system starts no thread (a limit on processes), the results are computed one after the other, as they are
    taken; where it starts fewer than asked for, by those.

    Torch uses one core in each of the threads and all in the thread that takes the results. Where all used all, the
    k-means of a slide took 0.20 s instead of 0.13 s while others were read: OpenMP lets threads sleep between any two
    operations as soon as they are more than cores.
    """
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            queue = iter(items)
            first = list(islice(queue, 1))
            if first and not _starts(pool):
                _say_that_no_thread_starts()
                yield function(first[0])
                yield from map(function, queue)
                return
            waiting = deque(_submit(pool, function, item) for item in (*first, *islice(queue, workers - 1)))
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(_submit(pool, function, item) for item in islice(queue, 1))
                yield result
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            torch.set_num_threads(threads)  # the last number set is that of new threads


def _starts(pool: ThreadPoolExecutor) -> bool:
    """Whether a first thread can be started."""
    try:
        pool.submit(int).result()
    except RuntimeError as error:
        if _NO_THREAD not in str(error):
            raise
        return False
    return True


def _submit(pool: ThreadPoolExecutor, function: Callable[[Item], Result], item: Item) -> Future[Result]:
    """As `pool.submit`, of a pool that has a thread: that no more can be started is no matter, it takes the item."""
    future: Future[Result] = Future()
    try:
        pool.submit(_compute, future, function, item)
    except RuntimeError as error:  # raised after the item was put in the queue of the pool
        if _NO_THREAD not in str(error):
            raise
    return future


def _compute(future: Future[Result], function: Callable[[Item], Result], item: Item) -> None:
    try:
        future.set_result(function(item))
    except BaseException as error:  # noqa: BLE001 - raised again where the result is taken
        future.set_exception(error)


@functools.cache
def _say_that_no_thread_starts() -> None:
    _log.warning("warning: the system starts no more threads (ulimit -u): files are read one after the other")
