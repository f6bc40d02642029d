"""What makes the result of a trained fold doubtful, from its log and its predictions: each warning says what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from utils.files.phrases import listed
from utils.runs.epoch_log import best_epoch
from utils.runs.predictions import task_of
from utils.runs.tasks import CLASSIFICATION, TASKS
from utils.statistics.survival_stats import TIED_RISK


def fold_warnings(run: Mapping[str, Any], log: pd.DataFrame | None, table: pd.DataFrame, cases: str) -> list[str]:
    """All warnings of a trained fold.

    Args:
        run: `run.json`, see `utils.runs.run_record.read_run`.
        log: None where it is lost.
        table: predictions of its test cases, or of its validation cases where those are not opened yet.
        cases: which of the two, `test` or `validation`.
    """
    monitor = _monitor(run)
    of_training = [] if log is None else training_warnings(log, monitor, run["settings"].get("epochs"))
    return [*of_training, *prediction_warnings(table, cases, monitor)]


def merged(warnings: Mapping[int, Sequence[str]]) -> list[str]:
    """The warnings of several folds as lines; one that folds share is said once, with their numbers.

    >>> merged({0: ["a", "b"], 1: ["b"], 2: ["b"]})
    ['fold 0: a', 'folds 0, 1 and 2: b']
    """
    folds_of: dict[str, list[int]] = {}
    for fold, texts in warnings.items():
        for text in texts:
            folds_of.setdefault(text, []).append(fold)
    return [f"fold{'s' * (len(folds) > 1)} {listed(folds)}: {text}" for text, folds in folds_of.items()]


def _monitor(run: Mapping[str, Any]) -> str:
    """The score by which a run selects its epochs; older records do not name it."""
    monitors = TASKS[run["task"]].monitors
    recorded = run["settings"].get("monitor")
    return recorded if recorded in monitors else monitors[0]


def training_warnings(log: pd.DataFrame, monitor: str, max_epochs: int | None) -> Iterator[str]:
    """What the log of a finished training says against it.

    Args:
        log: see `utils.runs.epoch_log`.
        monitor: its column that selected the epoch.
        max_epochs: `--epochs`; None where it is not known.
    """
    loss, best = log["train_loss"].to_numpy(), best_epoch(log)
    if len(log) > 1 and monitor in log and np.ptp(log[monitor].to_numpy()) == 0:
        other = "--monitor val_loss" if monitor != "val_loss" else "another --lr"
        yield f"{monitor} is the same in all epochs and selects none: give {other}, or more validation cases"
    if len(log) > 1 and loss[1:].min() >= loss[0]:
        yield "the training loss never fell below that of the first epoch: give another --lr, or look at the features"
    if best is not None and best == max_epochs:
        yield f"the best epoch is the last of the {max_epochs} allowed, so it may end too early: give more --epochs"
    elif best == 1:
        yield f"the best epoch is the first, of a model hardly trained: give a lower --lr{_or_by_loss(monitor)}"


def prediction_warnings(table: pd.DataFrame, cases: str, monitor: str) -> Iterator[str]:
    """What the predictions of a fold's `test` or `validation` cases say against the model that `monitor` selected."""
    if task_of(table) == CLASSIFICATION:
        predicted = table["prediction"].unique()
        if len(predicted) == 1 and not (table["label"] == predicted[0]).all():
            yield (
                f"all {cases} slides are predicted as class {predicted[0]}: look at the learning curves, and give more "
                f"--patience or --weighted_sampling{_or_by_loss(monitor)}"
            )
    elif len(table) > 1 and np.ptp(table["risk"].to_numpy()) <= TIED_RISK:
        yield f"all {cases} cases have the same risk: look at the learning curves, give another --lr or more --patience"


def _or_by_loss(monitor: str) -> str:
    return "" if monitor == "val_loss" else ", or --monitor val_loss"
