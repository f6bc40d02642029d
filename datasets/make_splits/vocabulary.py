"""The words of label tables: those that say that a value is missing, and those that say how follow-up ended."""

from __future__ import annotations

import re
from collections.abc import Collection

from utils.errors import UserError

# In any letter case. In square brackets: TCGA and cBioPortal. `'--`, not reported, not allowed to collect: the GDC.
# Beginning with #: Excel. A full stop: SAS. The rest: pandas, numpy, R, SQL and people.
MISSING = frozenset(
    """
    [not available]|[not applicable]|[not evaluated]|[unknown]|[discrepancy]|[completed]|[pending]|[null]|[not reported]
    '--|not reported|not allowed to collect|not available|not applicable|not evaluated|unknown|unk|missing
    no data|no value|pending|tbd|n/e|n/d
    #n/a|#n/a n/a|#na|#null!|#div/0!|#value!|#ref!|#name?|#num!
    na|n/a|n.a.|<na>|nan|-nan|nat|null|none|.|?|-|--|---|–|—
    """.replace("\n", "|")
    .replace("    ", "")
    .split("|")
)  # with the empty word

EVENT = frozenset({"deceased", "dead", "died", "death", "event", "uncensored"}) | frozenset(
    {"dead of disease", "died of disease", "dead with tumor", "recurred/progressed", "recurred", "recurrence"}
    | {"progressed", "progression", "relapsed", "relapse"}
)
CENSORED = frozenset({"living", "alive", "censored", "no event", "alive or dead tumor free"}) | frozenset(
    {"diseasefree", "disease free", "progressionfree", "progression free", "lost to follow up", "alive with disease"}
)
_YES = frozenset({"1", "true", "t", "yes", "y"})
_NO = frozenset({"0", "false", "f", "no", "n"})
_NUMBERED = re.compile(r"([01])\s*:\s*(.*\S)")  # cBioPortal: 1:DECEASED, 0:LIVING


def missing_words(more: Collection[str] = (), classes: Collection[str] = ()) -> frozenset[str]:
    """Return the words that mean that a value is missing, as `is_missing` takes them.

    Those of a user (`more`) are added to `MISSING`; what a user names as one of the `classes` is none of them.

    Raises:
        UserError: a word is in both.
    """
    own, named = {word.strip().casefold() for word in more}, {name.strip().casefold() for name in classes}
    if own & named:
        raise UserError(f"{min(own & named)!r} is among --missing and among --classes: expected it in one of them")
    return frozenset(MISSING - named) | own


def is_missing(text: str, words: Collection[str] = MISSING) -> bool:
    """Return whether a cell says that there is no value.

    >>> is_missing("[Not Available]"), is_missing(" NaN "), is_missing("0")
    (True, True, False)
    """
    return text.strip().casefold() in words


def is_event(text: str, *, one_is_event: bool) -> bool | None:
    """Return whether a status says that the event (death, progression) was observed; None for an unknown word.

    `1`, `TRUE` and `yes` mean what 1 means in the column: the event, or with `one_is_event` false that the case is
    censored. A word of life or death, such as `Alive`, means the same in every column, and so does `1:DECEASED`.

    Raises:
        UserError: a number and a word that contradict each other, as in `1:LIVING`.

    >>> is_event("1:DECEASED", one_is_event=True), is_event("Alive", one_is_event=False)
    (True, False)
    >>> is_event("1.0", one_is_event=True), is_event("1.0", one_is_event=False), is_event("2", one_is_event=True)
    (True, False, None)
    """
    numbered = _NUMBERED.fullmatch(text.strip())
    word = _plain(numbered.group(2) if numbered else text)
    known = True if word in EVENT else False if word in CENSORED else None
    if numbered is None:
        if known is None and (word in _YES or word in _NO):
            return (word in _YES) == one_is_event
        return known
    number = numbered.group(1) == "1"
    if known is None:
        return number if one_is_event else None
    if known not in (number, number == one_is_event):
        raise UserError(f"{text!r} contradicts itself: 1 before a colon is an event, 0 a censored case")
    return known


def describe_status(*, one_is_event: bool) -> str:
    """Return in words what a status may be, for a message."""
    event, censored = ("1, TRUE, yes", "0, FALSE, no") if one_is_event else ("0, FALSE, no", "1, TRUE, yes")
    return (
        f"an event (one of {event}, {', '.join(sorted(EVENT))}, or 1:WORD) or a censored case (one of {censored}, "
        f"{', '.join(sorted(CENSORED))}, or 0:WORD)"
    )


def _plain(word: str) -> str:
    """A word without what tables write in different ways: letter case, `_`, hyphens, `1.0` for 1."""
    word = re.sub(r"[\s_\-]+", " ", word.strip().casefold())
    return re.sub(r"^([01])\.0*$", r"\1", word)
