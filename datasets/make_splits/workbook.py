"""The rows of a sheet of an Excel workbook (.xlsx), as text."""

from __future__ import annotations

import datetime
import io
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import ParseError

from utils.errors import UserError
from utils.files.cell_text import printable

_LAST_ROW = 2**20  # of Excel; a file that numbers rows beyond it would be counted through for ever
_MOST_CELLS = 2 * 10**8  # rows times the widest: a cell far from the table makes all rows as wide


class Sheet(NamedTuple):
    """A sheet of a workbook.

    Attributes:
        name: of the sheet.
        names: of all sheets of the workbook.
        rows: those with a filled cell, with their numbers, each without the empty cells at its end.
        width: cells of the widest row.
    """

    name: str
    names: list[str]
    rows: list[tuple[int, list[str]]]
    width: int

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows with their numbers, each as wide as the widest."""
        return ((number, cells + [""] * (self.width - len(cells))) for number, cells in self.rows)


def read_sheet(path: Path, content: bytes, sheet: str | None = None) -> Sheet:
    """Return the sheet of this name, or without a name the first.

    Whole numbers are written without a decimal point, dates as `2024-05-31`, truth values as TRUE and FALSE;
    of a formula, the value that Excel saved is read.

    Raises:
        UserError: openpyxl is not installed, the workbook is damaged or locked, has no such sheet, or cells far from
            the table.
    """
    try:
        from openpyxl import load_workbook
        from openpyxl.utils.exceptions import InvalidFileException
    except ImportError as error:
        raise UserError(
            f"the label table {path} is an Excel workbook, and openpyxl, which reads these, is not installed: run "
            "bash script/setup.sh --with-extras (or pip install openpyxl), or save the table as .csv"
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl's, about styles, rules and dates that no cell depends on
            workbook = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
            names = [worksheet.title for worksheet in workbook.worksheets]
            if not names or (sheet is not None and sheet not in names):
                raise UserError(
                    f"{path} has no sheet {sheet!r}: expected --sheet to name one of {', '.join(names) or 'none'}"
                )
            worksheet = workbook[sheet or names[0]]
            worksheet.reset_dimensions()  # what a file says of its size is often wrong
            rows = _filled(path, worksheet.iter_rows(max_row=_LAST_ROW, values_only=True), len(content))
    except UserError:
        raise
    # What openpyxl raises for a file that is damaged, or zipped like a workbook and none.
    except (
        InvalidFileException,
        zipfile.BadZipFile,
        zlib.error,
        ParseError,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        IndexError,
        EOFError,
        RuntimeError,
        OSError,
    ) as error:
        what = printable(" ".join(str(error).split()))[1:-1]
        raise UserError(f"{path} is a damaged Excel workbook ({what}): save it again, or as .csv") from error
    return Sheet(worksheet.title, names, rows, max((len(cells) for _, cells in rows), default=0))


def _filled(path: Path, rows: Iterable[Sequence[object]], size: int) -> list[tuple[int, list[str]]]:
    """The rows with a filled cell, without the empty cells at their end; `size` is that of the file."""
    filled, n_cells, width = [], 0, 0
    for number, values in enumerate(rows, start=1):
        cells = [_text(value) for value in values] if values else []
        while cells and not cells[-1]:
            cells.pop()
        if not cells:
            continue
        filled.append((number, cells))
        n_cells, width = n_cells + len(cells), max(width, len(cells))
        # A cell takes two bytes or more of a workbook unless most are empty.
        if n_cells > max(10**7, 5 * size) or len(filled) * width > _MOST_CELLS:
            raise UserError(
                f"{path} holds {len(filled):,} rows and more, of up to {width:,} cells, most of them empty: remove "
                "what stands far from the table, or save the table as .csv"
            )
    return filled


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        value = value.date()
    return str(value).strip()
