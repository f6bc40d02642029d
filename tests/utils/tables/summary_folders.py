"""Small run folders whose summaries are worked by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from utils.runs.predictions import classification_table, survival_table, write_predictions

RUN = {"dataset": "BLCA", "model": "mico", "formulation": "released", "run_name": "first", "seed": 7}


def write_run(run_dir: Path, task: str, **more: Any) -> Path:
    run_dir.mkdir(parents=True, exist_ok=True)
    (run_dir / "run.json").write_text(json.dumps(RUN | {"task": task} | more))
    return run_dir


def write_classification_fold(run_dir: Path, fold: int, label: list[int], positive: list[float]) -> None:
    ids = [f"{index:03d}" for index in range(len(label))]
    prob = np.stack([1 - np.array(positive), np.array(positive)], axis=1)
    table = classification_table(ids, [[name] for name in ids], np.array(label), prob)
    write_predictions(run_dir / f"fold{fold}" / "predictions_test.csv", table)


def write_survival_fold(run_dir: Path, fold: int, time: list[float], event: list[int], risk: list[float]) -> None:
    ids = [f"{fold}-{index:03d}" for index in range(len(time))]
    n = len(time)
    table = survival_table(ids, [[i] for i in ids], time, event, np.zeros(n), risk, np.full((n, 4), 0.5))
    write_predictions(run_dir / f"fold{fold}" / "predictions_test.csv", table)
