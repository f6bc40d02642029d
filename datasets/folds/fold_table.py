"""The text of a split file: a CSV whose columns, three times over, are matched by position."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from datasets.folds.cases import PARTS, patient_of
from datasets.slides.id_checks import CASE, SLIDE, why_no_case, why_no_slide
from datasets.slides.slide_ids import plain_slide_id
from utils.errors import NO_FILE, UserError, cannot_read
from utils.files.atomic import atomic_path
from utils.files.cell_text import number_of, printable
from utils.files.csv_records import csv_records
from utils.files.phrases import counted
from utils.files.plain_text import plain_text

# An empty cell, and what pandas prints for one.
_BLANKS = ("", "nan", "NaN")


@dataclass(frozen=True)
class Row:
    """The cells of one part in one line of the file: column name without `train_`, `val_` or `test_` -> text."""

    cells: Mapping[str, str]
    part: str
    line: int
    path: Path

    def slide_id(self) -> str:
        """Return the slide id, see `plain_slide_id`; UserError for a text that can be none."""
        slide_id = plain_slide_id(self.cells["slide_id"])
        why = why_no_slide(slide_id)
        if why is not None:
            raise self.error("slide_id", SLIDE.format(why))
        return slide_id

    def case_id(self) -> str:
        """Return the case id, or without such a column the patient of the slide; UserError as of `slide_id`."""
        if "case_id" not in self.cells:
            return patient_of(self.slide_id())
        why = why_no_case(self.cells["case_id"])
        if why is not None:
            raise self.error("case_id", CASE.format(why))
        return self.cells["case_id"]

    def integer(self, column: str, expected: str) -> int:
        """Return a cell written as `3` or `3.0`; UserError with `expected` otherwise."""
        number = self.number(column, expected)
        if not number.is_integer():
            raise self.error(column, expected)
        return int(number)

    def number(self, column: str, expected: str) -> float:
        """Return a cell as a finite number; UserError with `expected` otherwise."""
        number = number_of(self.cells[column])
        if number is None or not math.isfinite(number):
            raise self.error(column, expected)
        return number

    def error(self, column: str, expected: str) -> UserError:
        """Return the UserError that names value, column, line and file."""
        return UserError(
            f"found {printable(self.cells[column])} in column {self.part}_{column}, line {self.line} of {self.path}: "
            f"expected {expected}"
        )


def read_rows_by_part(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, list[Row]]:
    """Return the filled rows of train, val and test, in the order of the file.

    Columns are named `{part}_{name}` for each name of `required` and `optional`; any other column (such as a leading
    unnamed index) is ignored. A row of a part whose cells are all blank is padding and left out, wherever it stands.

    Raises UserError when the file cannot be read as CSV, a column is missing or twice there (an optional one must be
    there for all parts or for none), or a row of a part is filled in part only.
    """
    rows: dict[str, list[Row]] = {part: [] for part in PARTS}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            records = csv_records(file)
            _, first = next(records, (0, []))
            header = [plain_text(cell) for cell in first]
            names = _present(path, header, required, optional)
            position = {part: {name: header.index(f"{part}_{name}") for name in names} for part in PARTS}
            for line, cells in records:
                _check_length(path, line, cells, len(header))
                for part in PARTS:
                    row = Row(_cells(cells, position[part]), part, line, path)
                    if _is_filled(row):
                        rows[part].append(row)
    except NO_FILE as error:
        raise UserError(f"the split file {path} cannot be read ({error.strerror}): give an existing file") from error
    except OSError as error:
        raise cannot_read(path, error) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"the split file {path} is not CSV text in UTF-8 ({error}): correct it, or save it as CSV again"
        ) from error
    return rows


def write_columns(path: Path, columns: Mapping[str, Sequence[str]]) -> None:
    """Write the columns as CSV, padded with blanks to equal length, atomically."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip_longest(*columns.values(), fillvalue=""))


def _check_length(path: Path, line: int, cells: Sequence[str], n_columns: int) -> None:
    """Refuse a line that says something beyond the header's columns."""
    if any(map(_text, cells[n_columns:])):
        raise UserError(
            f"line {line} of {path} has {counted(len(cells), 'cell')} where the header has {n_columns}: expected one "
            "cell per column"
        )


def _cells(cells: Sequence[str], position: Mapping[str, int]) -> dict[str, str]:
    """The cells at these positions as plain text; short lines are padded with blanks."""
    return {name: _text(cells[at]) if at < len(cells) else "" for name, at in position.items()}


def _text(cell: str) -> str:
    cell = plain_text(cell)
    return "" if cell in _BLANKS else cell


def _present(path: Path, header: list[str], required: Sequence[str], optional: Sequence[str]) -> list[str]:
    """The required names and those optional ones that the file has."""
    used = [name for name in optional if any(f"{part}_{name}" in header for part in PARTS)]
    names = [*required, *used]
    wanted = [f"{part}_{name}" for part in PARTS for name in names]
    missing = [name for name in wanted if name not in header]
    if missing:
        found = ", ".join(name for name in header if name) or "no column"
        columns, them = ("column", "it") if len(missing) == 1 else ("columns", "them")
        raise UserError(f"{path} lacks the {columns} {', '.join(missing)} (found {found}): add {them}, or check --task")
    twice = [name for name in wanted if header.count(name) > 1]
    if twice:
        raise UserError(f"{path} has the column {twice[0]} twice: expected it once")
    return names


def _is_filled(row: Row) -> bool:
    """Whether the row says anything; a row that says only a part of what it should is a UserError."""
    blank = [name for name, cell in row.cells.items() if not cell]
    if blank and len(blank) < len(row.cells):
        filled = [name for name in row.cells if name not in blank]
        raise UserError(
            f"line {row.line} of {row.path} fills {', '.join(f'{row.part}_{name}' for name in filled)} but not "
            f"{', '.join(f'{row.part}_{name}' for name in blank)}: fill in all columns of {row.part} or none"
        )
    return not blank
