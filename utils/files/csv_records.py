"""The records of a CSV text one by one, and what is said of a quotation mark that is never closed."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence

from utils.files.cell_text import printable

_LINE_BREAK = re.compile(r"\r\n|\r|\n")


def csv_records(
    lines: Iterable[str], *, separator: str = ",", strict: bool = False, n_above: int = 0
) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the last line of each record, and its cells.

    By itself, the csv module takes all that follows an open quotation mark for one cell and says nothing.

    Args:
        lines: of the text, with their ends.
        separator: of cells, one character.
        strict: whether text between a closing quotation mark and the separator is an error.
        n_above: lines of the file above the first of `lines`, which count in the numbers.

    Raises:
        csv.Error: the text is no CSV, or a quotation mark is not closed; the lines are named.
    """
    record: list[str] = []  # the lines of the one that is being read
    at_end = False

    def noted() -> Iterator[str]:
        nonlocal at_end
        for line in lines:
            record.append(line)
            yield line
        at_end = True

    reader = csv.reader(noted(), delimiter=separator, strict=strict)
    while True:
        record.clear()
        problem = None
        try:
            cells = next(reader, None)
        except csv.Error as error:
            problem = error
        last = reader.line_num + n_above
        if record and at_end:  # a record that is whole ends before the text does
            raise csv.Error(_open_quote(record, last, separator))
        if problem is not None:
            raise csv.Error(_in_lines(last - len(record) + 1, last, problem)) from problem
        if cells is None:
            return
        yield last, cells


def first_line(last: int, cells: Sequence[str]) -> int:
    r"""Return the number of the line where a record begins that ends in line `last`.

    >>> first_line(7, ["s02\ns03\rs04\r\ns05", "1"])
    4
    """
    return last - sum(len(_LINE_BREAK.findall(cell)) for cell in cells)


def _open_quote(record: Sequence[str], last: int, separator: str) -> str:
    """Which quotation mark is open at the end of a text."""
    *_, cell = next(csv.reader(record, delimiter=separator))
    line = first_line(last, [cell.removesuffix("\n").removesuffix("\r")])
    return f"the quotation mark in line {line} before {printable(_LINE_BREAK.split(cell)[0])} is not closed"


def _in_lines(first: int, last: int, error: csv.Error) -> str:
    if first == last:
        return f"line {last}: {error}"
    return f"lines {first} to {last}: {error}; is a quotation mark of line {first} not closed?"
