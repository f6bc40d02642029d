"""Ids that look like one that was not found."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import SequenceMatcher

_LOWEST_RATIO = 0.75


def nearest_id(identifier: str, others: Iterable[str]) -> str | None:
    """Return the id that looks most like this one, or None where none does.

    Alike are ids of which one begins with the other, and those with the same numbers in about the same letters:
    `slide_7` is no neighbour of `slide_6`, it is another slide.

    >>> nearest_id("slide_7", ["slide_6", "Slide-07", "slide_77"])
    'Slide-07'
    >>> nearest_id("P1_A", ["P1_A.195576CF", "P2_A"])
    'P1_A.195576CF'
    """
    text, numbers, plain = identifier.casefold(), _numbers(identifier), _plain(identifier)
    best, best_ratio = None, _LOWEST_RATIO
    for other in others:
        found = other.casefold()
        if _begins(found, text) or _begins(text, found):
            return other
        if _numbers(other) == numbers:
            ratio = SequenceMatcher(None, plain, _plain(other), autojunk=False).ratio()
            if ratio >= best_ratio:
                best, best_ratio = other, ratio
    return best


def did_you_mean(identifier: str, others: Iterable[str]) -> str:
    """Return the nearest id as a question for the end of a message, with a blank before it, or nothing.

    >>> did_you_mean("slide_7", ["slide_07"]), did_you_mean("slide_7", ["x"])
    (' (did you mean slide_07?)', '')
    """
    near = nearest_id(identifier, others)
    return f" (did you mean {near}?)" if near else ""


def _numbers(text: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", text)]


def _plain(text: str) -> str:
    """An id without letter case, punctuation and leading zeros."""
    return re.sub(r"0*(\d+)", r"\1", re.sub(r"[\W_]+", " ", text.casefold())).replace(" ", "")


def _begins(text: str, start: str) -> bool:
    """Whether a text begins with another that ends there, not within a word or number."""
    return bool(start) and text.startswith(start) and not text[len(start) : len(start) + 1].isalnum()
