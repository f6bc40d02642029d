"""Folders of a predicted cohort, `RUN_DIR/predict/NAME/`, made without a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from utils.runs.predict_dir import write_record
from utils.runs.predictions import classification_table, survival_table, write_predictions
from utils.statistics.ensemble import ensemble_table

FOLDS = (0, 2)
RUN = {"dataset": "here", "model": "mico", "formulation": "released", "ablate": [], "run_name": "mico_released"}
NAMES = ["benign", "malignant"]


def classification_folder(folder: Path, n_unknown: int = 0) -> Path:
    """40 slides of 30 patients by two folds; the labels of the first `n_unknown` are not known."""
    rng = np.random.default_rng(5)
    label = rng.integers(0, 2, 40).astype(float)
    ids = [f"P{i % 30}" for i in range(40)]
    slides = [[f"S{i}"] for i in range(40)]
    tables = {}
    for fold in FOLDS:
        score = 1 / (1 + np.exp(-(label * 1.5 - 0.7 + rng.standard_normal(40))))
        known = np.where(np.arange(40) < n_unknown, np.nan, label)
        tables[fold] = classification_table(ids, slides, known, np.stack([1 - score, score], axis=1), NAMES)
    thresholds = {"fold0": 0.25, "fold2": 0.75, "ensemble": 0.5}
    return _write(folder, tables, "cls", "slide", n_unknown, thresholds=thresholds)


def survival_folder(folder: Path, cut_off: float = -1.5) -> Path:
    """50 cases by two folds, divided at a cut-off."""
    rng = np.random.default_rng(6)
    truth = rng.standard_normal(50)
    time = rng.exponential(30 * np.exp(-truth)) + 1
    event = (rng.random(50) < 0.7).astype(float)
    ids = [f"P{i}" for i in range(50)]
    tables = {}
    for fold in FOLDS:
        hazard = 1 / (1 + np.exp(-(truth[:, None] + 0.5 * rng.standard_normal((50, 4)))))
        risk = -np.cumprod(1 - hazard, axis=1).sum(axis=1)
        bins = np.digitize(time, (10, 20, 40))
        tables[fold] = survival_table(ids, [[f"S{i}"] for i in range(50)], time, event, bins, risk, hazard)
    cut_offs = {f"fold{fold}": cut_off for fold in FOLDS} | {"ensemble": cut_off}
    edges = {key: [10.0, 20.0, 40.0] for key in cut_offs}
    return _write(folder, tables, "surv", "case", 0, cut_offs=cut_offs, inner_edges=edges)


def _write(folder: Path, tables: dict[int, pd.DataFrame], task: str, unit: str, n_unknown: int, **more: object) -> Path:
    n = len(tables[0])
    mean = ensemble_table(tables)
    if task == "cls":
        mean["prediction_name"] = [NAMES[number] for number in mean["prediction"]]
    write_predictions(folder / "predictions.csv", mean, may_lack_outcomes=True)
    for fold, table in tables.items():
        write_predictions(folder / f"predictions_fold{fold}.csv", table, may_lack_outcomes=True)
    run = RUN | {"seed": 7, "class_names": NAMES if task == "cls" else None}
    record = {"cohort": "there", "task": task, "unit": unit, "run": run, "folds": list(FOLDS)}
    record |= {"n_cases": n, "n_known": max(0, n - n_unknown), "notes": ["a note"], "warnings": ["a warning"]}
    write_record(folder, record | more)
    return folder
