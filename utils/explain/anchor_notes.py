"""Which parts of an anchor's `note` in `anchors.csv` concern an association: those of one class say so."""

from __future__ import annotations

import re

_OF_CLASS = re.compile(r"class (\d+): ")


def notes_of(note: str, positive: int | None) -> list[str]:
    """The parts of a note (joined by "; ") about the anchor, and about class `positive` where one is given.

    >>> notes_of("class 1: no positive case; class 2: no interval; in 2 cases only", 2)
    ['class 2: no interval', 'in 2 cases only']
    >>> notes_of("class 1: no positive case", None)
    []
    """
    parts = [(_OF_CLASS.match(part), part) for part in note.split("; ") if part]
    return [part for found, part in parts if found is None or int(found[1]) == positive]
