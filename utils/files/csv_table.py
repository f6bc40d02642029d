"""CSV files of numbers with a few columns of text: all digits are written, and what is no number is refused."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from utils.errors import UserError
from utils.files.atomic import write_text

ADVICE = "explain the fold again with main.py --stage explain"


def write_number_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, atomically; a float is the shortest text that reads back as the same, NaN an empty cell."""
    text = io.StringIO()
    table.to_csv(text, index=False, lineterminator="\n")
    write_text(path, text.getvalue())


def read_number_table(path: Path, text: Sequence[str], required: Sequence[str]) -> pd.DataFrame:
    """Read a table: the columns `text` as they stand (`001` stays `001`), the rest float64, NaN for an empty cell.

    Raises:
        UserError: the file is missing, damaged or empty, lacks one of the columns `text` and `required`, or a cell of
            another column than `text` is no finite number.
    """
    header, rows = _read_cells(path)
    for name in (*text, *required):
        if name not in header:
            raise UserError(f"{path}: column {name} is missing (found {', '.join(header)}); {ADVICE}.")
    table = pd.DataFrame(rows, columns=header, dtype=object)
    numbers = {name: _numbers(path, name, table[name]) for name in header if name not in text}
    return pd.DataFrame({name: numbers.get(name, table[name]) for name in header})


def _read_cells(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file, strict=True))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); {ADVICE}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: is no CSV text ({error}); {ADVICE}.") from error
    if len(rows) < 2:
        raise UserError(f"{path}: holds no row below its header; {ADVICE}.")
    header = rows[0]
    if len(set(header)) < len(header):
        raise UserError(f"{path}: two columns have the same name ({', '.join(header)}); {ADVICE}.")
    for line, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            raise UserError(
                f"{path}: line {line} holds {len(row)} cells, expected {len(header)} as in the header; {ADVICE}."
            )
    return header, rows[1:]


def _numbers(path: Path, name: str, cells: Sequence[str]) -> np.ndarray:
    values = np.empty(len(cells))
    for row, cell in enumerate(cells):
        try:
            values[row] = float(cell) if cell else np.nan
        except ValueError:
            values[row] = np.inf
        if np.isinf(values[row]) or (cell and np.isnan(values[row])):
            raise UserError(f"{path}: column {name}, line {row + 2}: found {cell!r}, expected a number; {ADVICE}.")
    return values
