"""What makes the result of a trained fold doubtful, from its log and its predictions: each warning says what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from utils.files.phrases import numbered
from utils.runs.epoch_log import best_epoch
from utils.runs.fold_state import state_of
from utils.runs.predictions import task_of
from utils.runs.protocol import completed
from utils.runs.run_record import unit_of
from utils.runs.tasks import CLASSIFICATION
from utils.tables.below_chance import fold_below_chance
from utils.tables.constant_predictions import only_class, same_scores


@dataclass(frozen=True)
class Selection:
    """How a run selects its epochs, and what it does about unbalanced classes; the options of these names.

    Attributes:
        monitor: the column of the log that is the score.
        tie_rule: which of several epochs of the best score is kept.
        epochs: maximum number; None where the record does not say it.
        weighted_sampling: whether classes are drawn with equal probability.
    """

    monitor: str
    tie_rule: str = "val_loss"
    epochs: int | None = None
    weighted_sampling: bool = False

    @classmethod
    def of(cls, run: Mapping[str, Any]) -> Selection:
        """What `run.json` says of it, as `utils.runs.run_record.read_run` gives it."""
        settings = completed(run)["settings"]
        weighted = bool(settings.get("weighted_sampling"))
        return cls(settings["monitor"], settings["tie_rule"], settings.get("epochs"), weighted)


def fold_warnings(run: Mapping[str, Any], log: pd.DataFrame | None, table: pd.DataFrame, cases: str) -> list[str]:
    """All warnings of a trained fold.

    Args:
        run: `run.json`, see `utils.runs.run_record.read_run`.
        log: see `utils.runs.epoch_log`; None where it is lost.
        table: predictions of its test cases, or of its validation cases where those are not opened yet.
        cases: which of the two, `test` or `validation`.
    """
    selection = Selection.of(run)
    of_training = [] if log is None else [*unfinished_training(run, log), *training_warnings(log, selection)]
    n_epochs = 0 if log is None else len(log)
    of_cases = prediction_warnings(table, f"{cases} {unit_of(run)}s", selection, n_epochs=n_epochs)
    return [*of_training, *of_cases, *fold_below_chance(table)]


def merged(warnings: Mapping[int, Sequence[str]]) -> list[str]:
    """The warnings of several folds as lines; one that folds share is said once, with their numbers.

    >>> merged({0: ["a", "b"], 1: ["b"], 2: ["b"]})
    ['fold 0: a', 'folds 0, 1 and 2: b']
    """
    folds_of: dict[str, list[int]] = {}
    for fold, texts in warnings.items():
        for text in texts:
            folds_of.setdefault(text, []).append(fold)
    return [f"{numbered('fold', folds)}: {text}" for text, folds in folds_of.items()]


def unfinished_training(run: Mapping[str, Any], log: pd.DataFrame) -> Iterator[str]:
    """That a fold was left behind when the maximum number of epochs was raised for others."""
    settings = completed(run)["settings"]
    state = state_of(log, settings)
    if not state.at_end:
        yield (
            f"trained for {state.epoch} epochs and not stopped early, of {settings['epochs']} that other folds may "
            "have: go on with --resume"
        )


def training_warnings(log: pd.DataFrame, selection: Selection) -> Iterator[str]:
    """What the log of a finished training says against it."""
    loss, best, monitor = log["train_loss"].to_numpy(), best_epoch(log), selection.monitor
    stands_still = len(log) > 1 and monitor in log and np.ptp(log[monitor].to_numpy()) == 0
    if stands_still and monitor == "val_loss":
        yield "val_loss is the same after every epoch: give another --lr"
    elif stands_still:
        chosen = "the loss" if selection.tie_rule == "val_loss" else "nothing"
        yield (
            f"{monitor} is the same after every epoch, so that {chosen} selected one: give --monitor val_loss, or more "
            "validation cases"
        )
    if len(log) > 1 and loss[1:].min() >= loss[0]:
        yield "the training loss never fell below that of the first epoch: give another --lr, or look at the features"
    if stands_still or best is None:
        return
    if best == selection.epochs:
        yield f"the best epoch is the last of the {selection.epochs} allowed, perhaps too early: give more --epochs"
    elif best == 1:
        yield f"the best epoch is the first, of a model hardly trained: give a lower --lr{_or_by_loss(selection)}"


def prediction_warnings(table: pd.DataFrame, cases: str, selection: Selection, *, n_epochs: int) -> Iterator[str]:
    """What the predictions of some cases of a fold, such as its `test slides`, say against its model.

    `n_epochs` is how long it was trained.
    """
    longer = "--epochs" if n_epochs == selection.epochs else "--patience"
    same, named = same_scores(table), only_class(table)
    if same is not None:
        says_nothing = "AUC says" if task_of(table) == CLASSIFICATION else "C-index and log-rank p say"
        yield (
            f"all {cases} have the same {same} but for rounding, so that {says_nothing} nothing: look at the features "
            f"and learning curves, and give another --lr or more {longer}"
        )
    elif named is not None:
        weighted = "" if selection.weighted_sampling else " or --weighted_sampling"
        yield (
            f"all {cases} are predicted as class {named}: look at the learning curves, and give more "
            f"{longer}{weighted}{_or_by_loss(selection)}"
        )


def _or_by_loss(selection: Selection) -> str:
    return "" if selection.monitor == "val_loss" else ", or --monitor val_loss"
