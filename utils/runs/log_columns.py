"""Columns of `log.csv` as plain lists, for those who read thousands of logs and draw none.

They are what `utils.runs.epoch_log` reads, without pandas, whose import alone takes most of a second, and in a tenth of
the time: 0.07 ms a log of 40 epochs.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

_AS_WRITTEN = re.compile(r"[a-z_0-9]+(,[a-z_0-9]+)*")
_NUMBERS = re.compile(r"[0-9a-z.+,\n-]+")  # also nan and inf; blank lines have no cells and end below
REQUIRED = ("epoch", "train_loss", "val_loss", "best")


def log_columns(path: Path) -> dict[str, list[float]] | None:
    """The columns of a log that hold numbers, with NaN for an empty cell; None where the log is lost or damaged."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return None
    except UnicodeDecodeError:
        text = ""
    columns = _columns_as_written(text)
    if columns is not None:
        return columns
    from utils.runs.epoch_log import log_if_whole  # what another program has written is left to the strict reader

    log = log_if_whole(path)
    return None if log is None else {str(name): [float(value) for value in log[name]] for name in log}


def _columns_as_written(text: str) -> dict[str, list[float]] | None:
    """The columns of a text as `write_log` writes it; None for any other text."""
    header, _, body = text.partition("\n")
    names = header.split(",")
    if not body.endswith("\n") or not _AS_WRITTEN.fullmatch(header) or not _NUMBERS.fullmatch(body):
        return None
    rows = [line.split(",") for line in body[:-1].split("\n")]
    is_table = all(len(row) == len(names) for row in rows) and len({*names}) == len(names)
    if not is_table or not {*REQUIRED} <= {*names}:
        return None
    try:
        columns = {
            name: [float(cell) if cell else math.nan for cell in cells]
            for name, cells in zip(names, zip(*rows, strict=True), strict=True)
        }
    except ValueError:
        return None
    return columns if columns["epoch"] == list(range(1, len(rows) + 1)) else None
