"""A label table: its header, and the cells of a few of its columns, of which it may have thousands more."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from datasets.folds.near_ids import did_you_mean
from datasets.make_splits.table_file import unpack
from datasets.make_splits.table_text import read_text
from datasets.make_splits.vocabulary import is_missing
from datasets.make_splits.workbook import read_sheet
from utils.errors import NO_FILE, UserError, cannot_read
from utils.files.cell_text import printable
from utils.files.csv_records import first_line
from utils.files.phrases import counted
from utils.files.plain_text import plain_text

Records = Callable[[], Iterable[tuple[int, Sequence[str]]]]
_Opened = tuple[Mapping[str, str], Records, tuple[str, ...]]  # how it is read, the lines, and what to say

_N_COLUMNS_NAMED = 20
_N_LOOKED_AT = 6  # first lines: titles, header, and what describes the columns
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_WHOLE = re.compile(r"[+-]?\d{1,18}(\.0*)?")  # longer ones are ids, and beyond 4,300 digits Python reads none


@dataclass(frozen=True)
class TableRow:
    """The cells of one line, by column name, in plain text (see `plain_text`): composed letters, single blanks."""

    cells: Mapping[str, str]
    line: int
    path: Path

    @property
    def place(self) -> tuple[Path, int]:
        """File and line, which tell a row from all others."""
        return self.path, self.line

    def number(self, column: str, expected: str, *, decimal_comma: bool = False) -> float:
        """Return a cell as a finite number of 0 or more; UserError with `expected` otherwise."""
        text = self.cells[column]
        if decimal_comma:
            text = text.replace(",", ".")
        number = float(text) if _NUMBER.fullmatch(text) else math.nan
        if not 0 <= number < math.inf:
            raise self.error(column, expected)
        return number

    def error(self, column: str, expected: str) -> UserError:
        """Return the UserError that names value, column, line and file."""
        return UserError(
            f"found {printable(self.cells[column])} in column {column}, line {self.line} of {self.path}: expected "
            f"{expected}; correct it, or leave the cell blank to leave the row out"
        )


@dataclass(frozen=True)
class LabelTable:
    """A label table, opened: its cells are read when `rows` is called.

    Attributes:
        path: of the file.
        sha256: of the file.
        header: the names of the columns, in their order; a name may be blank or there twice.
        source: how it was read: `separator` and `encoding`, or `sheet`.
        notes: what was assumed, skipped or chosen, each one sentence.
        records: gives number and cells of each line below the header.
    """

    path: Path
    sha256: str
    header: tuple[str, ...]
    source: Mapping[str, str]
    notes: tuple[str, ...]
    records: Records

    def rows(self, columns: Iterable[str]) -> tuple[TableRow, ...]:
        """Return the rows that say anything in these columns, in the order of the file, as text.

        Raises:
            UserError: a column is missing or there twice, a line has more or fewer cells than the header, or no row is
                left.
        """
        position = {name: self._position(name) for name in dict.fromkeys(columns)}
        rows = []
        for line, cells in self.records():
            if len(cells) != len(self.header):
                raise self._wrong_length(line, cells)
            row = TableRow({name: plain_text(cells[at]) for name, at in position.items()}, line, self.path)
            if not all(map(is_missing, row.cells.values())):
                rows.append(row)
        if not rows:
            raise UserError(f"the label table {self.path} has no rows: expected one per slide or patient")
        return tuple(rows)

    def decimal_comma(self, rows: Sequence[TableRow], column: str) -> str | None:
        """Return the first number of a column that has a decimal comma, or None where numbers have none.

        Commas are decimal only where they separate no columns.

        Raises:
            UserError: commas that may separate thousands, or commas and full stops in one column.
        """
        texts = [row.cells[column] for row in rows]
        with_comma = [text for text in texts if re.fullmatch(r"[+-]?\d*(,\d+)+", text)]
        with_point = [text for text in texts if re.fullmatch(r"[+-]?\d*\.\d+", text)]
        mixed = [text for text in texts if re.fullmatch(r"[+-]?\d+[.,][\d.,]*[.,]\d*", text)]
        if not with_comma and not mixed:
            return None
        where = f"column {column} of {self.path}"
        advice = "write numbers without separators of thousands, and with a decimal point"
        if mixed or (with_comma and with_point):
            found = mixed[0] if mixed else f"{with_comma[0]!r} and {with_point[0]!r}"
            raise UserError(f"{where} holds {found}, where commas and points may mean decimals or thousands: {advice}")
        if self.source.get("separator") == ",":
            raise UserError(f"{where} holds {with_comma[0]!r}, a number with a comma: {advice}")
        if all(re.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}", text) for text in with_comma):
            raise UserError(f"{where} holds {with_comma[0]!r}, which may be a decimal comma or thousands: {advice}")
        return with_comma[0]

    def require(self, columns: Iterable[str], advice: str) -> None:
        """Raise UserError, with the first 20 columns that are there and `advice`, where one is missing."""
        missing = [name for name in columns if name not in self.header]
        if missing:
            names = f"column {missing[0]}" if len(missing) == 1 else f"columns {', '.join(missing)}"
            near = did_you_mean(missing[0], filter(None, self.header))
            raise UserError(f"{self.path} lacks the {names}{near} (found {self.found()}): {advice}")

    def found(self) -> str:
        """Return the first 20 columns in words, for a message."""
        named = [name for name in self.header if name]
        more = f", ... ({len(named)} in all)" if len(named) > _N_COLUMNS_NAMED else ""
        skipped = "".join(f"; {note}" for note in self.notes if note.startswith("skipped"))
        return f"{', '.join(named[:_N_COLUMNS_NAMED]) or 'no column'}{more}{skipped}"

    def _wrong_length(self, line: int, cells: Sequence[str]) -> UserError:
        """The error of a row with more or fewer cells than the header."""
        first, length = first_line(line, cells), counted(len(cells), "cell")
        row, advice = f"line {line} of {self.path} has {length}", "save the table again"
        if first < line:  # most often a mark that opens in one line, and closes where another one should open
            row = f"lines {first} to {line} of {self.path} are one row of {length}, by their quotation marks,"
            advice = f"correct the quotation marks of line {first}"
        return UserError(
            f"{row} where the header has {len(self.header)}: expected one cell per column, and nothing above the "
            f"header; {advice}"
        )

    def _position(self, name: str) -> int:
        self.require([name], "add it")
        if self.header.count(name) > 1:
            raise UserError(f"{self.path} has the column {name} twice: expected it once; remove or rename one")
        return self.header.index(name)


def read_label_table(
    path: Path, *, separator: str | None = None, encoding: str | None = None, sheet: str | None = None
) -> LabelTable:
    """Open a table: text (.csv, .tsv, .txt) or a workbook (.xlsx), by itself or in a .zip or .gz.

    What the file is called does not matter. `separator`, `encoding` (of text) and `sheet` (of a workbook) say what is
    found out without them: see `read_text` and `read_sheet`. The csv module reads the text since pandas, told which
    columns to read, drops the surplus cells of a line in silence.

    Raises:
        UserError: the file cannot be read, is no table, is damaged, or holds no header; an option that it cannot have.
    """
    path = Path(path)
    try:
        packed = path.read_bytes()
    except NO_FILE as error:
        raise UserError(f"the label table {path} cannot be read ({error.strerror}): give an existing file") from error
    except OSError as error:
        raise cannot_read(path, error) from error
    content, is_workbook, unpacked = unpack(path, packed)
    if is_workbook:
        source, records, read = _open_workbook(path, content, separator or encoding, sheet)
    else:
        source, records, read = _open_text(path, content, separator, encoding, sheet)
    first = [cells for _, cells in islice(records(), _N_LOOKED_AT)]
    n_above = _n_titles(first)
    n_below = _n_descriptions(first[n_above + 1 :])
    header = tuple(map(plain_text, first[n_above])) if first else ()
    skipped = []
    if n_above:
        lines = counted(n_above, "line")
        skipped.append(f"skipped the {lines} above the header of {path.name}: {_filled(first[0])[0]}")
    if n_below:
        lines = counted(n_below, "line")
        skipped.append(f"skipped the {lines} below the header of {path.name} that describe its columns (CDE_ID)")
    sha256, start = hashlib.sha256(packed).hexdigest(), n_above + 1 + n_below
    notes = (*unpacked, *read, *skipped)
    return LabelTable(path, sha256, header, source, notes, lambda: islice(records(), start, None))


def whole_number(text: str) -> int | None:
    """Return the integer that a cell holds, or None.

    >>> whole_number("3.0"), whole_number("-1"), whole_number("3.5"), whole_number("x")
    (3, -1, None, None)
    """
    return int(text.split(".")[0]) if _WHOLE.fullmatch(text) else None


def _open_workbook(path: Path, content: bytes, text_option: str | None, sheet: str | None) -> _Opened:
    if text_option:
        raise UserError(f"{path} is a workbook: leave out --separator and --encoding, which are of text")
    read = read_sheet(path, content, sheet)
    notes: tuple[str, ...] = ()
    if len(read.names) > 1 and sheet is None:
        notes = (
            f"read the sheet {read.name!r} of {path.name}, the first of {len(read.names)} (--sheet names another)",
        )
    return {"sheet": read.name}, read.records, notes


def _open_text(path: Path, content: bytes, separator: str | None, encoding: str | None, sheet: str | None) -> _Opened:
    if sheet:
        raise UserError(f"{path} is no workbook: leave out --sheet")
    text = read_text(path, content, separator, encoding)
    return {"separator": text.separator, "encoding": text.encoding}, text.records, text.notes


def _filled(cells: Iterable[str]) -> list[str]:
    return [cell.strip() for cell in cells if cell.strip()]


def _n_titles(records: Sequence[Sequence[str]]) -> int:
    """How many of the first records are titles: nothing but a first cell in each, above a header of several."""
    is_title = [bool(cells[0].strip()) and len(_filled(cells)) == 1 for cells in records]
    above = is_title.index(False) if False in is_title else 0
    return above if len(records) > above + 1 and len(_filled(records[above])) > 1 else 0


def _n_descriptions(records: Sequence[Sequence[str]]) -> int:
    """How many lines below the header describe the columns: two in TCGA's clinical files, the second with CDE ids."""
    with_ids = [index for index, cells in enumerate(records[:2]) if any(cell.startswith("CDE_ID:") for cell in cells)]
    return with_ids[0] + 1 if with_ids else 0
