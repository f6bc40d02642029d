"""Where the seconds of a run go."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import torch

Item = TypeVar("Item")
PARTS = ("reading", "forward", "backward", "optimizer")


class Stopwatch:
    """Adds up the seconds of the parts of a run.

    Args:
        device: a GPU is waited for at the beginning and the end of each part, so that work which it has taken on counts
            where it was asked for; this costs a few percent. None waits for nothing.

    Attributes:
        seconds: of each part so far.
    """

    def __init__(self, device: torch.device | None = None) -> None:
        self._gpu = device if device is not None and device.type == "cuda" else None
        self.restart()

    def restart(self) -> None:
        """Begin again from nothing."""
        self.seconds: dict[str, float] = defaultdict(float)
        self._started = self._now()

    @contextmanager
    def time(self, part: str) -> Iterator[None]:
        """Add the seconds of a `with` block to a part."""
        started = self._now()
        try:
            yield
        finally:
            self.seconds[part] += self._now() - started

    def waiting(self, items: Iterable[Item], part: str) -> Iterator[Item]:
        """The items; what it takes until each of them is there counts to a part."""
        iterator = iter(items)
        while True:
            with self.time(part):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    def split(self) -> dict[str, float]:
        """The seconds since the start: of each part, of `the rest`, and the `total`."""
        total = self._now() - self._started
        parts = {part: self.seconds[part] for part in PARTS}
        return {**parts, "the rest": total - sum(parts.values()), "total": total}

    def _now(self) -> float:
        if self._gpu is not None:
            torch.cuda.synchronize(self._gpu)
        return time.perf_counter()


def in_words(split: Mapping[str, float]) -> str:
    """A split in a line.

    >>> in_words({"reading": 1.0, "forward": 2.0, "the rest": 1.0, "total": 4.0})
    '4.0 s: reading 25.0 %, forward 50.0 %, the rest 25.0 %'
    """
    total = split["total"]
    shares = (f"{part} {100 * value / total:.1f} %" for part, value in split.items() if part != "total")
    return f"{total:.1f} s: {', '.join(shares)}"
