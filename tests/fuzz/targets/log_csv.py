"""`log.csv`, as figures and a run that goes on read it."""

from __future__ import annotations

from pathlib import Path

from utils.runs.epoch_log import best_epoch, read_log, write_log
from utils.runs.fold_state import state_of

SUFFIX = ".csv"
SETTINGS = {"epochs": 3, "patience": 2, "monitor": "val_loss"}


def seeds(folder: Path) -> list[Path]:
    rows = [
        {"epoch": k, "train_loss": 0.7 / k, "val_loss": 0.8 / k, "val_auc": 0.5, "lr": 2e-4, "seconds": 1.5, "best": 1}
        for k in (1, 2, 3)
    ]
    path = folder / "log.csv"
    write_log(path, rows)
    return [path]


def read(path: Path) -> None:
    log = read_log(path)
    best_epoch(log)
    state_of(log, SETTINGS)
