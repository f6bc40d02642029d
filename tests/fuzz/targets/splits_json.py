"""The record `splits.json` beside the folds, which names the classes."""

from __future__ import annotations

import json
from pathlib import Path

from datasets.folds.class_names import read_class_names

NAME = "splits.json"


def seeds(folder: Path) -> list[Path]:
    """A record as `datasets.make_splits` writes it, and one with classes alone."""
    record = {
        "options": {"task": "cls", "n_folds": 4},
        "classes": {"benign": 0, "muzinös": 1},
        "seed": 2024,
        "notes": [],
    }
    paths = [folder / name / NAME for name in ("whole", "classes")]
    for path, value in zip(paths, (record, {"classes": record["classes"]}), strict=True):
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(value, indent=2, ensure_ascii=False), encoding="utf-8")
    return paths


def read(path: Path) -> None:
    """As the folds beside it are read."""
    read_class_names(path.parent, 2)
