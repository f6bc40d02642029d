"""Which parts of an anchor's `note` in `anchors.csv` concern an association: those of one class say so."""

from __future__ import annotations

import re

from utils.runs.class_words import ClassWords

_OF_CLASS = re.compile(r"^class (\d+): ")


def notes_of(note: str, positive: int | None) -> list[str]:
    """The parts of a note (joined by "; ") about the anchor, and about class `positive` where one is given.

    >>> notes_of("class 1: no positive case; class 2: no interval; in 2 cases only", 2)
    ['class 2: no interval', 'in 2 cases only']
    >>> notes_of("class 1: no positive case", None)
    []
    """
    parts = [(_OF_CLASS.match(part), part) for part in note.split("; ") if part]
    return [part for found, part in parts if found is None or int(found[1]) == positive]


def named_notes(note: str, words: ClassWords | None) -> str:
    """A note in which the classes have their names.

    >>> named_notes("class 1: no interval; in 2 cases only", ClassWords(("benign", "malignant")))
    'malignant (class 1): no interval; in 2 cases only'
    """
    if words is None:
        return note
    return "; ".join(_OF_CLASS.sub(lambda found: f"{words.full(int(found[1]))}: ", part) for part in note.split("; "))
