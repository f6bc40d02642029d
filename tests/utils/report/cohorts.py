"""Seeded prediction tables, training outcomes and logs for the charts."""

from __future__ import annotations

import numpy as np
import pandas as pd

from utils.runs.predictions import classification_table, survival_table

BIN_EDGES = (10.0, 22.0, 45.0)


def classification_fold(seed: int, n: int = 60, n_classes: int = 2) -> pd.DataFrame:
    """Cases of one slide each; the scores know something of the label."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, n_classes, n)
    score = rng.normal(size=(n, n_classes))
    score[np.arange(n), label] += 1.2
    prob = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
    return table_of_classes(label, prob, name=f"fold{seed}")


def table_of_classes(label: np.ndarray, prob: np.ndarray, name: str = "P") -> pd.DataFrame:
    """The prediction table of these labels and probabilities."""
    ids = [f"{name}-{index}" for index in range(len(label))]
    return classification_table(ids, [[one] for one in ids], np.asarray(label), np.asarray(prob))


def survival_fold(seed: int, n: int = 60) -> pd.DataFrame:
    """Cases whose hazards know something of the time to death; months, four time bins."""
    rng = np.random.default_rng(seed)
    log_hazard = rng.normal(size=n)
    death, censoring = 40 * rng.exponential(np.exp(-log_hazard)), rng.uniform(1, 120, n)
    time, event = np.minimum(death, censoring), (death <= censoring).astype(int)
    hazard = 1 / (1 + np.exp(1 - 0.8 * log_hazard[:, None] + 0.3 * rng.normal(size=(n, 4))))
    return table_of_survival(time, event, -np.cumprod(1 - hazard, axis=1).sum(axis=1), hazard, name=f"fold{seed}")


def table_of_survival(
    time: np.ndarray, event: np.ndarray, risk: np.ndarray, hazard: np.ndarray | None = None, name: str = "P"
) -> pd.DataFrame:
    """The prediction table of these outcomes and risks."""
    ids = [f"{name}-{index}" for index in range(len(time))]
    hazard = np.full((len(ids), 4), 0.5) if hazard is None else hazard
    bins = np.searchsorted(BIN_EDGES, time, side="right")
    return survival_table(ids, [[one] for one in ids], np.asarray(time), np.asarray(event), bins, risk, hazard)


def outcomes_of(table: pd.DataFrame) -> pd.DataFrame:
    """These cases as the training cases of a fold."""
    return table[["case_id", "time", "event", "bin"]]


def training_log(n_epochs: int, best: int, seed: int = 0) -> pd.DataFrame:
    """A log as of `utils.runs.epoch_log.read_log`."""
    rng = np.random.default_rng(seed)
    epoch = np.arange(n_epochs, dtype=np.float64)
    columns = {name: rng.random(n_epochs) for name in ("train_loss", "val_loss", "val_f1", "val_c_index")}
    return pd.DataFrame({"epoch": epoch, "best": (epoch == best).astype(float)} | columns)
