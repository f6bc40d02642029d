"""CSV tables: the one reader and the one writer of this package's tables, with the checks that all of them need."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from utils.errors import NO_FILE, UserError, cannot_read
from utils.files.atomic import write_text
from utils.files.cell_text import number_of, printable
from utils.files.csv_records import csv_records
from utils.files.phrases import counted

if TYPE_CHECKING:
    import pandas as pd

_N_NAMED = 40  # columns, in a message


@dataclass(frozen=True)
class CsvTable:
    """The cells of a CSV file as text.

    Attributes:
        path: of the file.
        advice: what a user should do about a damaged file; every message ends with it.
        header: the names of the columns, all different.
        rows: the cells below the header, as many in each row as the header has.
        lines: the number of each row's line in the file.
    """

    path: Path
    advice: str
    header: list[str]
    rows: list[list[str]]
    lines: list[int]

    def error(self, problem: str) -> UserError:
        """The error that names the file, says what is wrong with it, and what to do."""
        return UserError(f"{self.path}: {problem}; {self.advice}.")

    def require(self, names: Iterable[str]) -> None:
        """Raise UserError if a column is missing."""
        for name in names:
            if name not in self.header:
                raise self.error(f"column {name} is missing (found {_first(self.header)})")

    def column(self, name: str) -> list[str]:
        """The cells of a column as they stand: `001` stays `001`."""
        position = self.header.index(name)
        return [row[position] for row in self.rows]

    def floats(self, name: str) -> np.ndarray:
        """A column as float64 (n,), NaN for every cell that is no number: for checks that follow and say more."""
        return np.array([number_of(cell) for cell in self.column(name)], dtype=np.float64)  # None becomes NaN

    def numbers(self, name: str, *, finite: bool = True) -> np.ndarray:
        """A column as float64 (n,), NaN for an empty cell.

        Args:
            name: of the column.
            finite: whether the cells `nan` and `inf` are errors.

        Raises:
            UserError: a cell is no number (column, line and cell are named).
        """
        values, cells = self.floats(name), self.column(name)
        for row in np.flatnonzero(~np.isfinite(values)):
            if cells[row] and (finite or number_of(cells[row]) is None):
                raise self.error(
                    f"column {name}, line {self.lines[row]}: found {printable(cells[row])}, expected a number"
                )
        return values

    def frame(self, text: Sequence[str]) -> pd.DataFrame:
        """The table: the columns `text` as they stand, the rest as `numbers`.

        Raises:
            UserError: a cell of another column than `text` is no finite number.
        """
        import pandas as pd  # slow to import, and most readers of tables need lists or arrays alone

        return pd.DataFrame(
            {
                name: np.array(self.column(name), dtype=object) if name in text else self.numbers(name)
                for name in self.header
            }
        )


def read_csv(path: Path, *, advice: str, required: Iterable[str] = (), may_be_empty: bool = False) -> CsvTable:
    """Read a CSV file in UTF-8; blank lines, and blanks around the names of columns, are left out.

    Args:
        path: of the file.
        advice: what a user should do about a damaged file.
        required: columns that must be there.
        may_be_empty: whether the file may hold no row below its header.

    Raises:
        UserError: the file is missing or no CSV text, holds no row, has a column twice or lacks a required one, or a
            row has more or fewer cells than the header.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            records = csv_records(file, strict=True)
            found = [(line, cells) for line, cells in records if len(cells) > 1 or any(map(str.strip, cells))]
    except NO_FILE as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); {advice}.") from error
    except OSError as error:
        raise cannot_read(path, error) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: is no CSV text ({error}); {advice}.") from error
    header = [name.strip() for name in found[0][1]] if found else []
    table = CsvTable(path, advice, header, [cells for _, cells in found[1:]], [line for line, _ in found[1:]])
    if not table.rows and not may_be_empty:
        raise table.error("holds no row below its header")
    if len(set(header)) < len(header):
        raise table.error(f"two columns have the same name ({_first(header)})")
    for line, cells in zip(table.lines, table.rows, strict=True):
        if len(cells) != len(header):
            raise table.error(
                f"line {line} holds {counted(len(cells), 'cell')}, expected {len(header)} as in the header"
            )
    table.require(required)
    return table


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, atomically; a float is the shortest text that reads back as the same, NaN an empty cell."""
    text = io.StringIO()
    table.to_csv(text, index=False, lineterminator="\n")
    write_text(path, text.getvalue())


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    r"""A CSV text with the header `columns`; a cell is empty where a row has None, or no value of that name.

    Raises:
        ValueError: a row has a name that is no column.

    >>> csv_text(("fold", "auc"), [{"fold": 0, "auc": 0.5}, {"fold": 1, "auc": None}])
    'fold,auc\n0,0.5\n1,\n'
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _first(names: Sequence[str]) -> str:
    """The names of a few columns, for a message."""
    more = f", ... ({len(names)} in all)" if len(names) > _N_NAMED else ""
    return ", ".join(names[:_N_NAMED]) + more or "nothing"
