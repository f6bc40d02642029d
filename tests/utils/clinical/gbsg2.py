"""The breast-cancer cohort GBSG2 of scikit-survival as a run of four folds, and its clinical table.

The i-th patient is in the test part of fold i mod 4. The "model" knows the progesterone receptor alone: its risk is
`-log(1 + progrec)`, on another scale in each fold, as the risks of different models are.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
from sksurv.datasets import load_gbsg2

from utils.runs.predictions import classification_table, survival_table, write_predictions

N_FOLDS = 4


def write_gbsg2(root: Path, task: str) -> tuple[Path, Path]:
    """Write the run and `clinical.csv`; returns their paths. In classification the label is whether death was seen."""
    covariates, outcome = load_gbsg2()
    n = len(covariates)
    ids = [f"P{index:03d}" for index in range(n)]
    table = root / "clinical.csv"
    table.parent.mkdir(parents=True, exist_ok=True)
    columns = ["age", "tsize", "tgrade", "menostat", "horTh"]
    covariates[columns].assign(case_id=ids).to_csv(table, index=False)
    run_dir = root / task / "GBSG2" / "progrec"
    run_dir.mkdir(parents=True)
    run = {"task": task, "dataset": "GBSG2", "model": "abmil", "formulation": "none", "folds": list(range(N_FOLDS))}
    (run_dir / "run.json").write_text(json.dumps(run), encoding="utf-8")
    for fold in range(N_FOLDS):
        own = np.arange(n) % N_FOLDS == fold
        score = -np.log1p(covariates["progrec"].to_numpy()[own]) * (fold + 1) / 2 + fold
        names = [name for name, is_own in zip(ids, own, strict=True) if is_own]
        predictions = _predictions(task, names, score, outcome[own])
        write_predictions(run_dir / f"fold{fold}" / "predictions_test.csv", predictions)
    return run_dir, table


def _predictions(task: str, names: list[str], score: np.ndarray, outcome: np.ndarray) -> pd.DataFrame:
    slides = [[name] for name in names]
    if task == "surv":
        bins, hazard = np.zeros(len(names)), np.full((len(names), 2), 0.5)
        return survival_table(names, slides, outcome["time"] / 30.4375, outcome["cens"], bins, score, hazard)
    positive = 1 / (1 + np.exp(-score))
    return classification_table(
        names, slides, outcome["cens"].astype(np.int64), np.stack([1 - positive, positive], axis=1)
    )
