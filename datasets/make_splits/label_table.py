"""The text of a label table: the cells of a few columns of a CSV file, which may have thousands more."""

from __future__ import annotations

import csv
import hashlib
import io
import math
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from utils.errors import UserError

_BLANKS = frozenset({"", "nan", "NaN", "NA", "N/A", "<NA>"})  # an empty cell, and what pandas and R print for one
_N_COLUMNS_NAMED = 20


@dataclass(frozen=True)
class TableRow:
    """The cells of one line, by column name; blank ones (`nan`, `NA` and the like too) are empty text."""

    cells: Mapping[str, str]
    line: int
    path: Path

    def number(self, column: str, expected: str) -> float:
        """Return a cell as a finite number of 0 or more; UserError with `expected` otherwise."""
        try:
            number = float(self.cells[column])
        except ValueError:
            raise self.error(column, expected) from None
        if not math.isfinite(number) or number < 0:
            raise self.error(column, expected)
        return number

    def flag(self, column: str, expected: str) -> bool:
        """Return whether a cell written as `0` or `1` (or `0.0`, `1.0`) is 1; UserError with `expected` otherwise."""
        number = self.number(column, expected)
        if number not in (0.0, 1.0):
            raise self.error(column, expected)
        return number == 1.0

    def error(self, column: str, expected: str) -> UserError:
        """Return the UserError that names value, column, line and file."""
        return UserError(
            f"found {self.cells[column]!r} in column {column}, line {self.line} of {self.path}: expected {expected}; "
            "correct it, or leave the cell blank to leave the slide out"
        )


@dataclass(frozen=True)
class LabelTable:
    """The rows of a label table that say anything, in the order of the file, and the SHA-256 of the file."""

    path: Path
    sha256: str
    rows: tuple[TableRow, ...]


def read_label_table(path: Path, columns: Sequence[str]) -> LabelTable:
    """Read these columns of a `.csv` file, or of the one `.csv` file inside a `.zip`, as text.

    Other columns are ignored, a leading unnamed index too; so are rows that are blank in all of `columns`. Blanks
    around a cell are removed. Lines are read one by one, so that 20,000 columns need no more memory than the file; the
    csv module is used since pandas, told which columns to read, drops the surplus cells of a line in silence.

    Raises UserError when the file cannot be read, the zip holds no or several `.csv` files, a column is missing (with
    the first 20 found) or there twice, a line has more or fewer cells than the header, or no row is left.
    """
    path = Path(path)
    if path.suffix not in (".csv", ".zip"):
        raise UserError(f"the label table {path} ends in {path.suffix or 'nothing'}: expected .csv or .csv.zip")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"the label table {path} cannot be read ({error.strerror}): give an existing file") from error
    text = io.TextIOWrapper(
        io.BytesIO(_unzipped(path, content) if path.suffix == ".zip" else content), "utf-8-sig", newline=""
    )
    try:
        rows = _read_rows(path, text, list(dict.fromkeys(columns)))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"the label table {path} is not CSV text in UTF-8: save it as CSV again") from error
    if not rows:
        raise UserError(f"the label table {path} has no rows: expected one per slide")
    return LabelTable(path, hashlib.sha256(content).hexdigest(), tuple(rows))


def _unzipped(path: Path, content: bytes) -> bytes:
    """The one CSV file of a zip; the folder `__MACOSX`, which some systems add, is ignored."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [name for name in archive.namelist() if name.endswith(".csv") and not name.startswith("__MACOSX/")]
            if len(names) != 1:
                found = ", ".join(names) or "none"
                raise UserError(f"{path} holds {len(names)} .csv files ({found}): expected exactly one")
            return archive.read(names[0])
    # zipfile raises RuntimeError for a password and for a compression that it does not know.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise UserError(f"{path} cannot be unzipped ({error}): zip the table again, without a password") from error


def _read_rows(path: Path, text: io.TextIOWrapper, columns: Sequence[str]) -> list[TableRow]:
    reader = csv.reader(text)
    header = [cell.strip() for cell in next(reader, [])]
    position = _positions(path, header, columns)
    rows = []
    for cells in reader:
        if not cells:  # an empty line
            continue
        if len(cells) != len(header):
            raise UserError(
                f"line {reader.line_num} of {path} has {len(cells)} cells where the header has {len(header)}: expected "
                "one cell per column; save the table as CSV again"
            )
        row = TableRow({name: _text(cells[at]) for name, at in position.items()}, reader.line_num, path)
        if any(row.cells.values()):
            rows.append(row)
    return rows


def _positions(path: Path, header: Sequence[str], columns: Sequence[str]) -> dict[str, int]:
    """Column name -> position in a line."""
    missing = [name for name in columns if name not in header]
    if missing:
        named = [name for name in header if name]
        found = ", ".join(named[:_N_COLUMNS_NAMED]) or "no column"
        more = f", ... ({len(named)} in all)" if len(named) > _N_COLUMNS_NAMED else ""
        raise UserError(
            f"{path} lacks the columns {', '.join(missing)} (found {found}{more}): name yours with the options that "
            "end in _column"
        )
    twice = [name for name in columns if header.count(name) > 1]
    if twice:
        raise UserError(f"{path} has the column {twice[0]} twice: expected it once; remove or rename one")
    return {name: header.index(name) for name in columns}


def _text(cell: str) -> str:
    cell = cell.strip()
    return "" if cell in _BLANKS else cell
