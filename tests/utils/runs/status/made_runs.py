"""Folders of runs as `main.py` leaves them, in every state, made without training."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.utils.runs.test_fold_state import put
from utils.files.atomic import write_json
from utils.runs.epoch_log import write_log
from utils.runs.run_dir import fold_dir
from utils.runs.tasks import TASKS


def make_run(results_dir: Path, name: str, folds: Sequence[int] = (0, 1, 2, 3), **changes: Any) -> Path:
    """`run.json` of `RESULTS/cls/DATASET/NAME`, with the settings that count here."""
    settings = {"epochs": 20, "patience": 5, "monitor": "val_f1", "stage": "all", **changes.pop("settings", {})}
    record = {"task": "cls", "dataset": "toy", "model": "abmil", "formulation": "none", "seed": 2024, **changes}
    run_dir = results_dir / "cls" / record["dataset"] / name
    write_json(run_dir / "run.json", {**record, "folds": list(folds), "settings": settings})
    return run_dir


def train(run_dir: Path, fold: int, seconds: Sequence[float], *, best: int = 10**6, last: bool = True) -> Path:
    """A fold with as many epochs, whose score rises until the epoch `best`."""
    place = fold_dir(run_dir, fold)
    rows = [
        {"epoch": k, "train_loss": 1.0, "val_loss": 1.0, "val_f1": min(k, best) / 100, "seconds": value, "best": 1}
        for k, value in enumerate(seconds, 1)
    ]
    write_log(place / "log.csv", rows)
    put(place, "checkpoint.pt", *(["last.pt"] if last else []))
    return place


def finish(run_dir: Path, fold: int, seconds: Sequence[float]) -> Path:
    """A fold that patience has ended, and all of its files."""
    place = train(run_dir, fold, seconds, best=len(seconds) - 5, last=False)
    put(place, *TASKS["cls"].fold_files)
    return place


def run_json(run_dir: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run_dir / "run.json").read_text())
    return content
