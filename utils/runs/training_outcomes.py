"""`fold{k}/outcomes_train.csv`: the outcomes of a survival fold's training cases, written and read here.

One row per case, with the columns `case_id, time, event, bin`: `time` is in months, `event` is 1 where the death was
observed and 0 where the case was censored, `bin` is the time interval (0..C-1) that the model was trained with. The
metrics of `utils.statistics.censoring_metrics` take the censoring distribution and the time points from this file.
Floats are written with all their digits; identifiers are text: `001` stays `001`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from utils.files.csv_table import CsvTable, read_csv, write_csv
from utils.files.held_tables import HeldTables
from utils.runs.predictions import ADVICE

COLUMNS = ("case_id", "time", "event", "bin")
_MOST_BINS = 2**31  # beyond what any split has, and within int64
_HELD = HeldTables()


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
    problem = _first_problem(table) if len(table) else "no case"
    if problem is not None:
        raise ValueError(f"refused to write {path}: {problem}")
    write_csv(path, _with_integers(table))


def read_training_outcomes(path: Path) -> pd.DataFrame:
    """Read and check the outcomes of the training cases; `case_id` is text, `time` float64, `event` and `bin` int64.

    Raises:
        UserError: the file is missing or unreadable, lacks a column, or holds a value that is not as this module
            describes (file, column, line, value and what was expected are named).
    """
    return _HELD.table(path, lambda: _read(path))


def _read(path: Path) -> pd.DataFrame:
    cells = read_csv(path, advice=ADVICE, required=COLUMNS)
    table = pd.DataFrame({"case_id": cells.column("case_id")}, dtype=object)
    for name in COLUMNS[1:]:
        table[name] = cells.floats(name)
    problem = _first_problem(table, cells)
    if problem is not None:
        raise cells.error(problem)
    return _with_integers(table)


def _with_integers(table: pd.DataFrame) -> pd.DataFrame:
    return table.astype({"event": np.int64, "bin": np.int64})


def _first_problem(table: pd.DataFrame, cells: CsvTable | None = None) -> str | None:
    """The first value that is not as the module describes, in words; `cells`: the text that it was read from."""
    for name, good, expected in _rules(table):
        if not good.all():
            row = int(np.argmin(good))
            found = str(table[name].iloc[row]) if cells is None else cells.column(name)[row]
            line = row + 2 if cells is None else cells.lines[row]
            return f"column {name}, line {line}: found {found!r}, expected {expected}"
    return None


def _rules(table: pd.DataFrame) -> Iterator[tuple[str, np.ndarray, str]]:
    """Column, (n,) whether each row is good, and what is expected."""
    time, bins = table["time"].to_numpy(), table["bin"].to_numpy()
    yield "case_id", np.array([isinstance(text, str) and text != "" for text in table["case_id"]]), "a text"
    yield "case_id", ~table["case_id"].duplicated().to_numpy(), "a case that no line above has"
    yield "time", np.isfinite(time) & (time >= 0), "months, 0 or more"
    yield "event", np.isin(table["event"], (0, 1)), "1 (death observed) or 0 (censored)"
    yield "bin", np.isfinite(bins) & (bins >= 0) & (bins == np.floor(bins)), "an integer, 0 or more"
    yield "bin", bins < _MOST_BINS, f"less than {_MOST_BINS}"
