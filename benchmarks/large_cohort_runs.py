"""Finished runs of made-up predictions, for `benchmarks.large_cohorts`: no model is trained.

Survival has ties in time (tenths of a month), in risk (thousandths) and in status. Of the two classifications the one
of 2 classes has a slide per patient, the one of 3 classes up to three, some of them of another class than the
patient's other slides.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from utils.runs.epoch_log import write_log
from utils.runs.predictions import classification_table, survival_table, write_predictions
from utils.runs.training_outcomes import write_training_outcomes

N_FOLDS = 4
KINDS = {"survival": ("surv", 4), "2 classes": ("cls", 2), "3 classes": ("cls", 3)}  # task, outputs
MODELS = {"mico": "released", "abmil": "none"}
SEEDS = (1, 2)
_PLAN_HEADER = "task,dataset,model,formulation,ablate,n_clusters,seed,run_dir"
_BIN_EDGES = (10.0, 20.0, 40.0)  # months
_OTHER_CLASS = 0.1  # share of slides with another class than their patient's
_TRAINING = 2.0  # training cases for each test case


def write_runs(root: Path, kind: str, n_cases: int) -> list[Path]:
    """Two models of two seeds, with `n_cases` test cases in each of 4 folds; below `root/seed{s}/TASK/COHORT/`.

    `root/plan.csv` has all of them. The cases are the same in all, the scores are not.
    """
    task, n_outputs = KINDS[kind]
    folders, lines = [], [_PLAN_HEADER]
    for seed in SEEDS:
        for number, (model, form) in enumerate(MODELS.items()):
            place = f"seed{seed}/{task}/cohort/{model}"
            folders.append(root / place)
            lines.append(f"{task},cohort,{model},{form},,64,{seed},{place}")
            _write_run(root / place, task, n_outputs, n_cases, model=model, seed=seed, noise=0.6 + 0.3 * number)
    (root / "plan.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folders


def _write_run(run_dir: Path, task: str, n_outputs: int, n_cases: int, *, model: str, seed: int, noise: float) -> None:
    run_dir.mkdir(parents=True)
    run: dict[str, Any] = {
        "task": task,
        "dataset": "cohort",
        "model": model,
        "formulation": MODELS[model],
        "run_name": model,
    }
    run |= {"seed": seed, "folds": list(range(N_FOLDS)), "settings": {"n_clusters": 64, "unit": "slide"}}
    run |= {"splits": {f"fold{fold}.csv": f"sha{fold}" for fold in range(N_FOLDS)}}
    (run_dir / "run.json").write_text(json.dumps(run), encoding="utf-8")
    for fold in range(N_FOLDS):
        place = run_dir / f"fold{fold}"
        for part, share in (("test", 1.0), ("val", 0.5), ("train", _TRAINING)):
            cases = np.random.default_rng([fold, len(part)])
            scores = np.random.default_rng([fold, len(part), seed, len(model)])
            ids = [f"{part}-{fold}-{index:06d}" for index in range(int(share * n_cases))]
            if task == "surv" and part == "train":
                table = _survival(ids, n_outputs, noise, cases, scores)
                outcome = {name: table[name].to_numpy() for name in ("time", "event", "bin")}
                write_training_outcomes(place / "outcomes_train.csv", case_ids=ids, **outcome)
                continue
            make = _survival if task == "surv" else _classification
            write_predictions(place / f"predictions_{part}.csv", make(ids, n_outputs, noise, cases, scores))
        losses = [
            {"epoch": k, "train_loss": 1.5 / k, "val_loss": 1.6 / k + 0.02 * k, "val_f1": 0.5, "val_c_index": 0.5}
            | {"lr": 1e-4, "seconds": 1.0, "best": int(k < 7)}
            for k in range(1, 21)
        ]
        write_log(place / "log.csv", losses)


def _survival(
    ids: list[str], n_bins: int, noise: float, cases: np.random.Generator, scores: np.random.Generator
) -> pd.DataFrame:
    hidden = cases.normal(size=len(ids))
    time = np.round(cases.exponential(30 * np.exp(-hidden)) + 0.1, 1)
    event = cases.random(len(ids)) < 0.6
    seen = hidden + noise * scores.normal(size=len(ids))
    hazard = np.round(1 / (1 + np.exp(1.5 - 0.7 * seen[:, None] + np.zeros(n_bins))), 4)
    risk = np.round(-np.cumprod(1 - hazard, axis=1).sum(axis=1), 3)
    slides = [[f"{name}-A", f"{name}-B"] if index % 4 == 0 else [f"{name}-A"] for index, name in enumerate(ids)]
    return survival_table(ids, slides, time, event, np.digitize(time, _BIN_EDGES), risk, hazard)


def _classification(
    ids: list[str], n_classes: int, noise: float, cases: np.random.Generator, scores: np.random.Generator
) -> pd.DataFrame:
    label = cases.integers(0, n_classes, len(ids))
    patients = ids
    if n_classes > 2:  # about two slides each
        patient = np.sort(cases.integers(0, len(ids) // 2, len(ids)))
        label = np.where(cases.random(len(ids)) < _OTHER_CLASS, label, label[patient])
        patients = [ids[index] for index in patient]
    logits = np.eye(n_classes)[label] + noise * scores.normal(size=(len(ids), n_classes))
    prob = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    prob[:, -1] = 1 - prob[:, :-1].sum(axis=1)
    return classification_table(patients, [[f"{name}-A"] for name in ids], label, prob)
