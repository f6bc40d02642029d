"""`run.json`, as the commands over finished runs read it."""

from __future__ import annotations

import json
from pathlib import Path

from utils.runs.run_record import class_names, folds_left_out, read_run, unit_of

NAME = "run.json"


def seeds(folder: Path) -> list[Path]:
    record = {
        "task": "cls",
        "dataset": "toy",
        "model": "mico",
        "formulation": "released",
        "seed": 2024,
        "folds": [0, 1],
        "folds_of_splits": [0, 1, 2],
        "class_names": ["benign", "malignant"],
        "splits": {"fold0": "ab", "fold1": "cd"},
        "warnings": ["a warning"],
        "protocol": {"ties": "first"},
        "settings": {"task": "cls", "unit": "patient", "epochs": 3, "patience": 2, "monitor": "auc", "lr": 0.0002},
    }
    path = folder / "run.json"
    path.write_text(json.dumps(record, indent=2))
    return [path]


def read(path: Path) -> None:
    run = read_run(path.parent)
    class_names(run, 2)
    unit_of(run)
    folds_left_out(run)
