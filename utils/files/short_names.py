"""Names cut to the room there is, so that they can still be told apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile

Fits = Callable[[str], bool]


def shortened(words: str, fits: Fits) -> str:
    """The text, its middle cut out where it does not fit: both ends of a name tell runs apart.

    >>> shortened("attention", lambda text: len(text) <= 6)
    'att…on'
    """
    if fits(words):
        return words
    kept = len(words) - 1
    while kept > 0 and not fits(_without_middle(words, kept)):
        kept -= 1
    return _without_middle(words, kept)


def shortened_apart(labels: Sequence[str], fits: Fits) -> list[str]:
    """Each text as of `shortened`, except that different texts stay different.

    Where cutting the middle makes some alike, letters that all of these have at an end are cut out instead.

    >>> names = ["a_long_name_1_of_many_runs", "a_long_name_2_of_many_runs", "short"]
    >>> shortened_apart(names, lambda text: len(text) <= 9)
    ['a_long…1…', 'a_long…2…', 'short']
    """
    shown = [shortened(label, fits) for label in labels]
    for alike in _alike(labels, shown):
        rows = [index for index, text in enumerate(shown) if text == alike]
        own = sorted({labels[index] for index in rows})
        start, end = _n_shared(own), _n_shared([label[::-1] for label in own])
        end = min(end, min(map(len, own)) - start)
        for index in rows:
            shown[index] = _around(labels[index], start, end, fits)
    still = _alike(labels, shown)  # these differ in places too far apart: they are numbered
    rows = [index for index, text in enumerate(shown) if text in still]
    own = sorted({labels[index] for index in rows})
    for index in rows:
        shown[index] = _numbered(labels[index], own.index(labels[index]) + 1, fits)
    return shown


def _alike(labels: Sequence[str], shown: Sequence[str]) -> list[str]:
    """What is shown of more than one label."""
    of: dict[str, set[str]] = {}
    for label, text in zip(labels, shown, strict=True):
        of.setdefault(text, set()).add(label)
    return [text for text, whole in of.items() if len(whole) > 1]


def _n_shared(texts: Sequence[str]) -> int:
    """How many first letters all of them have in common."""
    return sum(1 for _ in takewhile(lambda letters: len(set(letters)) == 1, zip(*texts, strict=False)))


def _around(words: str, start: int, end: int, fits: Fits) -> str:
    """The text without its last `end` letters, and as many of its first `start` letters as fit."""
    middle = words[start : len(words) - end] + "…" * (end > 0)
    fitting = (words[:kept] + "…" * (kept < start) + middle for kept in range(start, -1, -1))
    return next((text for text in fitting if fits(text)), shortened(middle, fits))


def _numbered(words: str, number: int, fits: Fits) -> str:
    return shortened(words, lambda text: fits(f"{text} ({number})")) + f" ({number})"


def _without_middle(words: str, kept: int) -> str:
    """The first and last letters, `kept` in all, around an ellipsis."""
    head = (kept + 1) // 2
    return words[:head].rstrip() + "…" + (words[len(words) - (kept - head) :].lstrip() if kept > head else "")
