"""The rows of a sheet of an Excel workbook (.xlsx), as text."""

from __future__ import annotations

import datetime
import io
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from utils.errors import UserError

Records = list[tuple[int, list[str]]]


def read_sheet(path: Path, content: bytes, sheet: str | None = None) -> tuple[str, list[str], Records]:
    """Return the name of the sheet that was read, the names of all sheets, and its rows with their numbers.

    Without a name it is the first sheet. Rows without a filled cell are left out, and the others are as wide as the
    widest. Whole numbers are written without a decimal point, dates as `2024-05-31`, truth values as TRUE and FALSE;
    of a formula, the value that Excel saved is read.

    Raises:
        UserError: openpyxl is not installed, the workbook is damaged or locked, or has no such sheet.
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
            warnings.simplefilter("ignore")  # openpyxl's, about styles and rules that no cell depends on
            workbook = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        names = [worksheet.title for worksheet in workbook.worksheets]
        if not names or (sheet is not None and sheet not in names):
            raise UserError(
                f"{path} has no sheet {sheet!r}: expected --sheet to name one of {', '.join(names) or 'none'}"
            )
        worksheet = workbook[sheet or names[0]]
        worksheet.reset_dimensions()  # what a file says of its size is often wrong
        rows = list(_filled(worksheet.iter_rows(values_only=True)))
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
        what = " ".join(str(error).split())
        raise UserError(f"{path} is a damaged Excel workbook ({what}): save it again, or as .csv") from error
    width = max((len(cells) for _, cells in rows), default=0)
    return worksheet.title, names, [(number, cells + [""] * (width - len(cells))) for number, cells in rows]


def _filled(rows: Any) -> Iterator[tuple[int, list[str]]]:
    """The rows with a filled cell, without the empty cells at their end."""
    for number, values in enumerate(rows, start=1):
        cells = [_text(value) for value in values]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield number, cells


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
