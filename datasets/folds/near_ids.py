"""Ids that look like one that was not found, and how they differ."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from difflib import SequenceMatcher
from itertools import islice
from typing import NamedTuple

_LOWEST_RATIO = 0.75
_MOST_COMPARED = 2000  # ids that are compared letter by letter with one that was not found: about 0.1 s
_LONGEST, _MOST_STARTS = 300, 20  # of texts that are looked into, and of the starts of one that are kept


class Near(NamedTuple):
    """The id that looks most like one that was not found; `differs_in` says how in a word or two, or is empty."""

    identifier: str
    differs_in: str = ""


def _without_decimals(text: str) -> str:
    return re.sub(r"(\d)\.0+$", r"\1", text)


def _without_zeros(text: str) -> str:
    return re.sub(r"0*(\d+)", r"\1", text)


def _without_punctuation(text: str) -> str:
    return re.sub(r"[\W_]+", "", re.sub(r"(?<=\d)[\W_]+(?=\d)", "x", text))  # 1_01 is not 11


# What two ids may differ in and mean the same; each step is taken after those above it.
_SAME_BUT_FOR: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("letter case", str.casefold),
    ("decimals", _without_decimals),
    ("leading zeros", _without_zeros),
    ("punctuation", _without_punctuation),
)


class NearIds:
    """Finds, among ids, those near to others; made once in the time of one pass, asked for many."""

    def __init__(self, others: Iterable[str]) -> None:
        self._same: dict[tuple[str, str], str] = {}
        self._starting: dict[str, str] = {}
        self._whole: dict[str, str] = {}
        self._with_numbers: dict[tuple[str, ...], list[str]] = {}
        for other in others:
            for key in _keys(other):
                self._same.setdefault(key, other)
            folded = other.casefold()
            self._whole.setdefault(folded, other)
            for start in _starts(folded):
                self._starting.setdefault(start, other)
            self._with_numbers.setdefault(_numbers(other), []).append(other)

    def spelled(self, identifier: str) -> Near | None:
        """Return the id that is the same but for spelling, or of which one begins with the other; None without one."""
        for key in _keys(identifier):
            if key in self._same:
                return Near(self._same[key], key[0])
        folded = identifier.casefold()
        if folded in self._starting:
            return Near(self._starting[folded], "what follows")
        start = next((start for start in _starts(folded) if start in self._whole), None)
        return None if start is None else Near(self._whole[start], "what follows")

    def nearest(self, identifier: str) -> Near | None:
        """Return the id as of `spelled`, else the one with the same numbers and most of the letters, or None."""
        near = self.spelled(identifier)
        if near is not None:
            return near
        matcher = SequenceMatcher(b=_plain(identifier), autojunk=False)
        best, best_ratio = None, _LOWEST_RATIO
        for other in islice(self._with_numbers.get(_numbers(identifier), ()), _MOST_COMPARED):
            matcher.set_seq1(_plain(other))
            if matcher.real_quick_ratio() >= best_ratio and matcher.quick_ratio() >= best_ratio:
                ratio = matcher.ratio()
                if ratio >= best_ratio:
                    best, best_ratio = Near(other), ratio
        return best


def nearest_id(identifier: str, others: Iterable[str]) -> str | None:
    """Return the id that looks most like this one, or None where none does.

    Alike are ids of which one begins with the other, and those with the same numbers in about the same letters:
    `slide_7` is no neighbour of `slide_6`, it is another slide.

    >>> nearest_id("slide_7", ["slide_6", "Slide-07", "slide_77"])
    'Slide-07'
    >>> nearest_id("P1_A", ["P1_A.195576CF", "P2_A"])
    'P1_A.195576CF'
    """
    near = NearIds(others).nearest(identifier)
    return near.identifier if near else None


def did_you_mean(identifier: str, others: Iterable[str]) -> str:
    """Return the nearest id as a question for the end of a message, with a blank before it, or nothing.

    >>> did_you_mean("slide_7", ["slide_07"]), did_you_mean("slide_7", ["x"])
    (' (did you mean slide_07?)', '')
    """
    near = nearest_id(identifier, others)
    return f" (did you mean {near}?)" if near else ""


def _keys(identifier: str) -> Iterator[tuple[str, str]]:
    """What an id may differ in, and what is then left of it; nothing where nothing is left."""
    text = identifier[:_LONGEST]
    for difference, step in _SAME_BUT_FOR:
        text = step(text)
        if text:
            yield difference, text


def _starts(text: str) -> Iterator[str]:
    """The starts of a text that end before a punctuation mark, not within a word or number; the longest first."""
    marks = [match.start() for match in re.finditer(r"[\W_]", text[:_LONGEST]) if match.start() > 0]
    return (text[:at] for at in reversed(marks[:_MOST_STARTS]))


def _numbers(text: str) -> tuple[str, ...]:
    return tuple(digits.lstrip("0") for digits in re.findall(r"\d+", text[:_LONGEST]))


def _plain(text: str) -> str:
    """An id without letter case, punctuation and leading zeros."""
    return _without_zeros(re.sub(r"[\W_]+", " ", text[:_LONGEST].casefold())).replace(" ", "")
