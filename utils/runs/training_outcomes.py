"""`fold{k}/outcomes_train.csv`: the outcomes of a survival fold's training cases, written and read here.

One row per case, with the columns `case_id, time, event, bin`: `time` is in months, `event` is 1 where the death was
observed and 0 where the case was censored, `bin` is the time interval (0..C-1) that the model was trained with. The
metrics of `utils.statistics.censoring_metrics` take the censoring distribution and the time points from this file.
Floats are written with all their digits; identifiers are text: `001` stays `001`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from utils.errors import UserError
from utils.files.atomic import write_text

COLUMNS = ("case_id", "time", "event", "bin")
_ADVICE = "write it again with main.py --stage test --overwrite"


def write_training_outcomes(
    path: Path, *, case_ids: Sequence[str], time: np.ndarray, event: np.ndarray, bin: np.ndarray
) -> None:
    """Write the outcomes of n training cases to `path` as CSV, atomically.

    Args:
        path: of the file.
        case_ids: n identifiers, all different.
        time: (n,) follow-up in months.
        event: (n,) 1 = death observed, 0 = censored.
        bin: (n,) time interval of `time`, 0..C-1.

    Raises:
        ValueError: no case, arrays of another shape, or a value that is not as above.
    """
    table = pd.DataFrame({"case_id": list(case_ids)}, dtype=object)
    for name, values in (("time", time), ("event", event), ("bin", bin)):
        array = np.asarray(values)
        if array.shape != (len(table),) or array.dtype.kind not in "biuf":
            raise ValueError(f"{name}: expected {len(table)} numbers, got {array.dtype} of shape {array.shape}")
        table[name] = array.astype(np.float64)
    problem = _first_problem(table, table.to_numpy().tolist()) if len(table) else "no case"
    if problem is not None:
        raise ValueError(f"refused to write {path}: {problem}")
    text = io.StringIO()
    _with_integers(table).to_csv(text, index=False, lineterminator="\n")
    write_text(path, text.getvalue())


def read_training_outcomes(path: Path) -> pd.DataFrame:
    """Read and check the outcomes of the training cases; `case_id` is text, `time` float64, `event` and `bin` int64.

    Raises:
        UserError: the file is missing or unreadable, lacks a column, or holds a value that is not as this module
            describes (file, column, line, value and what was expected are named).
    """
    header, rows = _read_cells(path)
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise UserError(f"{path}: column {missing[0]} is missing (found {', '.join(header)}); {_ADVICE}.")
    cells = [[row[header.index(name)] for name in COLUMNS] for row in rows]
    table = pd.DataFrame(cells, columns=list(COLUMNS), dtype=object)
    for name in COLUMNS[1:]:
        table[name] = np.array([_number(cell) for cell in table[name]], dtype=np.float64)
    problem = _first_problem(table, cells)
    if problem is not None:
        raise UserError(f"{path}: {problem}; {_ADVICE}.")
    return _with_integers(table)


def _with_integers(table: pd.DataFrame) -> pd.DataFrame:
    return table.astype({"event": np.int64, "bin": np.int64})


def _read_cells(path: Path) -> tuple[list[str], list[list[str]]]:
    """Header and cells of the CSV file, as text."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file, strict=True))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); {_ADVICE}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: is no CSV text ({error}); {_ADVICE}.") from error
    if len(rows) < 2:
        raise UserError(f"{path}: holds no case; {_ADVICE}.")
    for line, row in enumerate(rows[1:], start=2):
        if len(row) != len(rows[0]):
            raise UserError(
                f"{path}: line {line} holds {len(row)} cells, expected {len(rows[0])} as in the header; {_ADVICE}."
            )
    return rows[0], rows[1:]


def _number(cell: str) -> float:
    """The float of a cell, NaN where it is none (the check that follows names it)."""
    try:
        return float(cell)
    except ValueError:
        return np.nan


def _first_problem(table: pd.DataFrame, cells: Sequence[Sequence[object]]) -> str | None:
    """The first value that is not as the module describes, in words; `cells`: what the table was made of."""
    for name, good, expected in _rules(table):
        if not good.all():
            row = int(np.argmin(good))
            found = str(cells[row][COLUMNS.index(name)])
            return f"column {name}, line {row + 2}: found {found!r}, expected {expected}"
    return None


def _rules(table: pd.DataFrame) -> Iterator[tuple[str, np.ndarray, str]]:
    """Column, (n,) whether each row is good, and what is expected."""
    time, bins = table["time"].to_numpy(), table["bin"].to_numpy()
    yield "case_id", np.array([isinstance(text, str) and text != "" for text in table["case_id"]]), "a text"
    yield "case_id", ~table["case_id"].duplicated().to_numpy(), "a case that no line above has"
    yield "time", np.isfinite(time) & (time >= 0), "months, 0 or more"
    yield "event", np.isin(table["event"], (0, 1)), "1 (death observed) or 0 (censored)"
    yield "bin", np.isfinite(bins) & (bins >= 0) & (bins == np.floor(bins)), "an integer, 0 or more"
