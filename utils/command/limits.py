"""The numbers that options may have: both ends are possible, NaN and infinity never are."""

from __future__ import annotations

from typing import NamedTuple


class Limits(NamedTuple):
    """The smallest and the largest number that an option may have."""

    lowest: float
    highest: float

    def contain(self, value: float) -> bool:
        """Whether a number lies within; NaN does not."""
        return self.lowest <= value <= self.highest

    def in_words(self) -> str:
        """What is expected, for a message.

        >>> Limits(1, 2**30).in_words(), Limits(0.0, 0.99).in_words()
        ('1 to 1073741824', '0 to 0.99')
        """
        return f"{_in_words(self.lowest)} to {_in_words(self.highest)}"


# For numbers of things: more than any run counts, and few enough for every library that takes one.
COUNT = Limits(1, 10**9)
NUMBER = Limits(0, 10**9)
SEED = Limits(0, 2**63 - 1)
ANCHORS = Limits(1, 2**20)  # as in `models.options`
THREADS = 1024  # each takes memory of its own


def _in_words(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:g}"
