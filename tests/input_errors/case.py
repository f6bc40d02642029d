"""A case: a mistake that a user may make, what makes it, and the command that meets it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Make = Callable[[], str]


@dataclass(frozen=True)
class Case:
    """A mistake.

    Attributes:
        kind: what it is about: the heading of the page.
        name: of the function.
        wrong: the mistake in words.
        make: prepares the files in the working folder, where a small cohort lies, and returns the command.
        varies: patterns of what differs between machines and versions; the page has `…` in its place.
    """

    kind: str
    name: str
    wrong: str
    make: Make
    varies: tuple[str, ...]

    def shown(self, sentence: str) -> str:
        """The sentence as the page has it."""
        for pattern in self.varies:
            sentence = re.sub(pattern, "…", sentence)
        return sentence


CASES: list[Case] = []


def cases_of(kind: str) -> Callable[..., Callable[[Make], Make]]:
    """The decorator of the cases of a kind: `@case("the mistake in words")` over a function of the name of the case."""

    def case(wrong: str, *, varies: Sequence[str] = ()) -> Callable[[Make], Make]:
        def note(make: Make) -> Make:
            CASES.append(Case(kind, make.__name__, wrong, make, tuple(varies)))
            return make

        return note

    return case
