"""The text of a cell: which number it is, and whether it can be a name, of an id or a class, that spreadsheets read."""

from __future__ import annotations

import re

LONGEST = 200  # bytes of UTF-8: a name of a file may have 255, and some are made of an id and more
# What a spreadsheet takes for a formula. A number with a sign is a number there too, and a word after a sign is none.
_FORMULA = re.compile(r"[=@]|[+-](?!\d+(?:[.,]\d+)?$|[^\W\d_]*$)")
# Control characters, what UTF-8 lacks, and marks that turn the direction of writing and so hide what a name is.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def why_no_cell(text: str) -> str | None:
    r"""Why a text cannot be a name in a table, as the end of a sentence about it; None where it can.

    >>> why_no_cell("=A1"), why_no_cell("a\x07b"), why_no_cell("-12"), why_no_cell("+ve")
    ("begins with '=', by which a spreadsheet takes it for a formula", "holds the unprintable '\\x07'", None, None)
    """
    if not text.strip():
        return "is empty"
    unprintable = _UNPRINTABLE.search(text)
    if unprintable:
        return f"holds the unprintable {unprintable.group()!a}"
    size = len(text.encode("utf-8"))
    if size > LONGEST:
        return f"has {size} bytes, of which {LONGEST} are the most"
    if _FORMULA.match(text):
        return f"begins with {text[0]!r}, by which a spreadsheet takes it for a formula"
    return None


def printable(text: str) -> str:
    r"""A text in quotation marks as any terminal shows it, the middle of a long one cut out.

    >>> printable("S\x1b7"), printable("Müller")
    ("'S\\x1b7'", "'Müller'")
    """
    cut = text if len(text) <= 80 else f"{text[:40]}…{text[-20:]}"
    return repr(cut)


def number_of(cell: str) -> float | None:
    """The number that a cell holds, or None; of what Python reads, `1_0` and digits of other scripts are none.

    >>> number_of("1e-3"), number_of("1_000"), number_of("x")
    (0.001, None, None)
    """
    try:
        return float(cell) if cell.isascii() and "_" not in cell else None
    except ValueError:
        return None
