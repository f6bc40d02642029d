"""`fold{k}/log.csv`: a row per epoch of training, written and read here and nowhere else.

| column | meaning |
|---|---|
| `epoch` | from 1 |
| `train_loss`, `val_loss` | mean loss of the training and the validation cases |
| `val_{metric}` | the metrics of the validation cases that are logged for the task (`utils.runs.tasks`) |
| `lr`, `seconds` | learning rate and duration of the epoch |
| `best` | 1 where the epoch became the checkpoint, else 0 |

A cell is empty where a metric is undefined in that epoch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from utils.errors import UserError
from utils.files.atomic import write_text
from utils.files.csv_table import csv_text, read_csv
from utils.runs.tasks import TASKS

if TYPE_CHECKING:
    import pandas as pd

_REQUIRED = ("epoch", "train_loss", "val_loss", "best")
_CURVES = tuple(f"val_{task.curve}" for task in TASKS.values())
_NAMES = re.compile(r"[a-z_0-9]+(,[a-z_0-9]+)*")
_NUMBERS = re.compile(r"[0-9a-z.+,\n-]+")  # nan and inf too


def write_log(path: Path, rows: Sequence[Mapping[str, float | None]]) -> None:
    """Write the rows of all epochs so far, at least one, atomically; the first one names the columns."""
    write_text(path, csv_text(list(rows[0]), rows))


def read_log(path: Path) -> pd.DataFrame:
    """The columns of a log that hold numbers: a row per epoch, float64, NaN for an empty cell (undefined then).

    Raises:
        UserError: the file is unreadable, lacks a column, holds something else than numbers in a column that is drawn,
            or epochs other than 1, 2, 3 and so on.
    """
    import pandas as pd  # slow to import: whoever needs a few columns of many logs does without it (`log_columns`)

    table = read_csv(path, advice="train the fold again or remove the file", required=_REQUIRED, may_be_empty=True)
    columns = {}
    for name in table.header:
        try:
            columns[name] = table.numbers(name, finite=False)  # a loss may have become infinite
        except UserError:
            if name in (*_REQUIRED, *_CURVES):
                raise
    epochs = columns["epoch"]
    if len(epochs) and not np.array_equal(epochs, np.arange(1, len(epochs) + 1)):
        wrong = int(np.argmin(epochs == np.arange(1, len(epochs) + 1)))
        found = table.column("epoch")[wrong][:20]
        raise table.error(f"column epoch, line {table.lines[wrong]}: found {found!r}, expected {wrong + 1}")
    return pd.DataFrame(columns)


def log_if_whole(path: Path) -> pd.DataFrame | None:
    """The same, for those whose numbers do not come from it: None where the log is lost or damaged."""
    try:
        return read_log(path) if path.exists() else None
    except UserError:
        return None


def log_columns(path: Path) -> dict[str, list[float]] | None:
    """The columns of `log_if_whole` as lists, without pandas and in a tenth of the time: for thousands of logs."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return None
    except UnicodeDecodeError:
        text = ""
    columns = _columns_as_written(text)
    if columns is not None:
        return columns
    log = log_if_whole(path)  # of what another program has written
    return None if log is None else {str(name): log[name].tolist() for name in log}


def _columns_as_written(text: str) -> dict[str, list[float]] | None:
    """The columns of a text as `write_log` writes it; None for any other text."""
    header, _, body = text.partition("\n")
    names = header.split(",")
    if not body.endswith("\n") or not _NAMES.fullmatch(header) or not _NUMBERS.fullmatch(body):
        return None
    rows = [line.split(",") for line in body[:-1].split("\n")]
    if {*map(len, rows)} != {len({*names})} or not {*_REQUIRED} <= {*names}:
        return None
    try:
        columns = {name: _floats(cells) for name, cells in zip(names, zip(*rows, strict=True), strict=True)}
    except ValueError:
        return None
    return columns if columns["epoch"] == list(range(1, len(rows) + 1)) else None


def _floats(cells: Sequence[str]) -> list[float]:
    return [float(cell) if cell else math.nan for cell in cells] if "" in cells else list(map(float, cells))


def best_epoch(log: pd.DataFrame) -> float | None:
    """The epoch of the checkpoint: the last row with `best` = 1; None where there is none."""
    epochs = log.loc[log["best"] == 1, "epoch"]
    return float(epochs.iloc[-1]) if len(epochs) else None
