"""Reading ahead with threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_threads(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """Results of `function` in the order of the items, computed in threads.

    At most `workers` items are under way or waiting to be taken, so that memory stays bounded however slow the reader
    is; `ThreadPoolExecutor.map` would start all of them. The first error stops what has not begun.
    """
    with ThreadPoolExecutor(workers) as pool:
        try:
            queue = iter(items)
            waiting = deque(pool.submit(function, item) for item in islice(queue, workers))
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(function, item) for item in islice(queue, 1))
                yield result
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
