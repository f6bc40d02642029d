"""`fold{k}/log.csv`: a row per epoch of training, written and read here, and read in haste in `utils.runs.log_columns`.

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

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from utils.errors import UserError
from utils.files.atomic import write_text
from utils.files.csv_table import csv_text, read_csv
from utils.runs.log_columns import REQUIRED
from utils.runs.tasks import TASKS

_CURVES = tuple(f"val_{task.curve}" for task in TASKS.values())


def write_log(path: Path, rows: Sequence[Mapping[str, float | None]]) -> None:
    """Write the rows of all epochs so far, at least one, atomically; the first one names the columns."""
    write_text(path, csv_text(list(rows[0]), rows))


def read_log(path: Path) -> pd.DataFrame:
    """The columns of a log that hold numbers: a row per epoch, float64, NaN for an empty cell (undefined then).

    Raises:
        UserError: the file is unreadable, lacks a column, holds something else than numbers in a column that is drawn,
            or epochs other than 1, 2, 3 and so on.
    """
    table = read_csv(path, advice="train the fold again or remove the file", required=REQUIRED, may_be_empty=True)
    columns = {}
    for name in table.header:
        try:
            columns[name] = table.numbers(name, finite=False)  # a loss may have become infinite
        except UserError:
            if name in (*REQUIRED, *_CURVES):
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


def best_epoch(log: pd.DataFrame) -> float | None:
    """The epoch of the checkpoint: the last row with `best` = 1; None where there is none."""
    epochs = log.loc[log["best"] == 1, "epoch"]
    return float(epochs.iloc[-1]) if len(epochs) else None
