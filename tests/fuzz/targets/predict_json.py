"""`predict.json`, the record of predictions of another cohort."""

from __future__ import annotations

import json
from pathlib import Path

from utils.runs.predict_dir import read_record, stale_folds

NAME = "predict.json"


def seeds(folder: Path) -> list[Path]:
    record = {
        "cohort": "hospital_b",
        "task": "cls",
        "run": {"task": "cls", "dataset": "toy", "model": "mico", "formulation": "released", "settings": {}},
        "folds": [0, 1],
        "models": {"fold0": "ab", "fold1": "cd"},
        "warnings": [],
        "notes": ["a note"],
    }
    path = folder / "predict.json"
    path.write_text(json.dumps(record, indent=2))
    return [path]


def read(path: Path) -> None:
    stale_folds(path.parent, read_record(path.parent))
