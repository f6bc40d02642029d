"""Run folders with random predictions, logs and explanations, as `main.py` writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from utils.runs.predictions import classification_table, survival_table, write_predictions
from utils.runs.training_outcomes import write_training_outcomes

LOG_HEADER = "epoch,train_loss,val_loss,val_f1,val_c_index,lr,seconds,best\n"


def random_table(task: str, rng: np.random.Generator, n_cases: int, *, prefix: str = "P") -> pd.DataFrame:
    """A fold whose predictions carry some signal."""
    ids = [f"{prefix}{index:03d}" for index in range(n_cases)]
    slides = [[f"{name}-S{number}" for number in range(1 + index % 2)] for index, name in enumerate(ids)]
    hidden = rng.normal(size=n_cases)
    if task == "cls":
        label = (hidden + rng.normal(size=n_cases) > 0).astype(int)
        label[:2] = 0, 1
        positive = 1 / (1 + np.exp(-hidden))
        return classification_table(
            ids, [[own[0]] for own in slides], label, np.stack([1 - positive, positive], axis=1)
        )
    time = rng.exponential(30 * np.exp(-hidden)) + 0.1
    event = rng.random(n_cases) < 0.6
    hazard = np.clip(0.3 + 0.1 * hidden[:, None] + 0.02 * rng.normal(size=(n_cases, 4)), 0.02, 0.95)
    risk = -np.cumprod(1 - hazard, axis=1).sum(axis=1)
    return survival_table(ids, slides, time, event, np.digitize(time, (10, 20, 40)), risk, hazard)


def write_run(
    run_dir: Path,
    task: str,
    *,
    n_folds: int = 2,
    n_cases: int = 30,
    model: str = "mico",
    seed: int = 7,
    noise: int = 0,
    **record: Any,
) -> Path:
    """A run with predictions and logs. The cases and outcomes of a fold depend on `task` alone, scores on `noise`."""
    run_dir.mkdir(parents=True)
    run = {"task": task, "dataset": run_dir.parent.name, "model": model, "run_name": run_dir.name, "seed": seed}
    run |= {"formulation": "released" if model == "mico" else "none", "folds": list(range(n_folds)), "warnings": []}
    run |= {"splits": {f"fold{fold}.csv": f"sha-{fold}" for fold in range(n_folds)}, "settings": {"lr": 0.0002}}
    run |= {"anchors": {"fold0": "sha-anchors"}, "versions": {"torch": "2.13.0"}, "started": "2026-01-01T00:00:00"}
    (run_dir / "run.json").write_text(json.dumps(run | record), encoding="utf-8")
    for fold in range(n_folds):
        place = run_dir / f"fold{fold}"
        table = random_table(task, np.random.default_rng([fold, 1]), n_cases, prefix=f"P{fold}")
        write_predictions(place / "predictions_test.csv", disturbed(table, np.random.default_rng([fold, noise]), noise))
        validation = random_table(task, np.random.default_rng([fold, 2]), 10, prefix=f"V{fold}")
        write_predictions(place / "predictions_val.csv", validation)
        if task == "surv":
            train = random_table(task, np.random.default_rng([fold, 3]), 60, prefix=f"T{fold}")
            columns = {name: train[name].to_numpy() for name in ("time", "event", "bin")}
            write_training_outcomes(place / "outcomes_train.csv", case_ids=list(train["case_id"]), **columns)
        rows = [
            f"{k},{1.5 / k},{1.6 / k + 0.02 * k},{0.5 + k / 20},{0.5 + k / 20},1e-4,1,{int(k < 7)}" for k in range(1, 9)
        ]
        (place / "log.csv").write_text(LOG_HEADER + "\n".join(rows) + "\n", encoding="utf-8")
    return run_dir


def disturbed(table: pd.DataFrame, rng: np.random.Generator, noise: int) -> pd.DataFrame:
    """The same cases with other scores: the further from the original the larger `noise`."""
    if noise == 0:
        return table
    table = table.copy()
    if "risk" in table.columns:
        table["risk"] += rng.normal(0, 0.1 * noise, len(table))
        return table
    positive = np.clip(table["prob_1"] + rng.normal(0, 0.08 * noise, len(table)), 0.01, 0.99)
    table["prob_0"], table["prob_1"] = 1 - positive, positive
    table["prediction"] = (table["prob_1"] > table["prob_0"]).astype(int)
    return table


def write_explanations(
    run_dir: Path, fold: int = 0, *, size: tuple[int, int] = (1400, 900), n_anchors: int = 8
) -> Path:
    """Maps of three cases and statistics of anchors, with the files of `main.py --stage explain`."""
    predictions = pd.read_csv(run_dir / f"fold{fold}" / "predictions_test.csv", dtype={"case_id": str})
    place = run_dir / f"fold{fold}" / "explain"
    lines = ["case_id,slide_ids,reason,certainty"]
    reasons = ("most certain", "least certain", "chosen")
    for (_, case), reason in zip(predictions.head(3).iterrows(), reasons, strict=True):
        lines.append(f"{case['case_id']},{case['slide_ids']},{reason},0.75")
        for slide_id in case["slide_ids"].split(";"):
            has_map = reason != "chosen"
            facts = {"slide_id": slide_id, "no_map": None if has_map else "The features have no coordinates."}
            (place / slide_id).mkdir(parents=True, exist_ok=True)
            (place / slide_id / "slide.json").write_text(json.dumps(facts), encoding="utf-8")
            for name in ("attention.png", "anchors.png") if has_map else ():
                gradient(size).save(place / slide_id / name)
    (place / "cases.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    anchor_statistics("risk" in predictions.columns, n_anchors).to_csv(place / "anchors.csv", index=False)
    rng = np.random.default_rng(0)
    stages = [rng.normal(size=(n_anchors // 2, n_anchors)).tolist()]
    (place / "reducer_mixing.json").write_text(json.dumps({"stages": stages, "overall": stages[0]}), encoding="utf-8")
    return place


def anchor_statistics(is_survival: bool, n_anchors: int) -> pd.DataFrame:
    """An `anchors.csv`; the last anchor is nearest to no patch."""
    rng = np.random.default_rng(1)
    share = np.append(rng.dirichlet(np.ones(n_anchors - 1)), 0.0)
    table = pd.DataFrame({"anchor": range(n_anchors), "n_patches": (share * 1000).astype(int), "share": share})
    table["n_cases"] = 20
    table["mean_attention"] = rng.uniform(0.5, 2, n_anchors)
    value, suffix = rng.normal(size=n_anchors), "" if is_survival else "_1"
    name = "log_hazard" if is_survival else "auc_1"
    table[name] = value if is_survival else 0.5 + 0.2 * np.tanh(value)
    table[f"{name}_low"], table[f"{name}_high"] = table[name] - 0.2, table[name] + 0.2
    table[f"p{suffix}"], table[f"p{suffix}_holm"] = rng.random(n_anchors), 1.0
    table["note"] = ""
    undefined = [name, f"{name}_low", f"{name}_high", f"p{suffix}", f"p{suffix}_holm", "mean_attention"]
    table.loc[n_anchors - 1, undefined] = np.nan
    table.loc[n_anchors - 1, "note"] = "nearest to no patch"
    return table


def gradient(size: tuple[int, int]) -> Image.Image:
    """A picture that differs from pixel to pixel."""
    across, down = np.meshgrid(np.linspace(0, 255, size[0]), np.linspace(0, 255, size[1]))
    return Image.fromarray(np.stack([across, down, 128 + 0 * down], axis=2).astype(np.uint8))
