"""How long a fold is trained, which epoch of it is kept, and where it stands."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from utils.files.phrases import duration
from utils.runs.fold_state import LOSS, TrainingState, training_state
from utils.runs.time_left import FoldsToCome, most_left


@dataclass(frozen=True)
class Schedule:
    """How long to train, and by what.

    Attributes:
        epochs: maximum number of epochs.
        patience: epochs without a better validation score before stopping.
        grad_accum: batches in an optimizer step.
        monitor: the column of the log that is the score: `val_loss`, of which the lowest is best, or a metric.
        tie_rule: which of several epochs of the best score is kept: `val_loss`, the one of the lowest validation loss,
            or `first`.
        seed: of the whole run.
        fold: for seeds and messages.
    """

    epochs: int
    patience: int
    grad_accum: int
    monitor: str
    tie_rule: str
    seed: int
    fold: int

    def better(self, new: float, old: float | None) -> bool:
        """Whether a score beats another; a tie does not."""
        return old is None or (new < old if self.monitor == LOSS else new > old)

    def update(self, progress: Progress, epoch: int, measured: Mapping[str, Any]) -> bool:
        """Note an epoch and its validation scores; returns whether it is the best one so far and is to be kept."""
        score, loss = measured[self.monitor], measured[LOSS]
        better = self.better(score, progress.best_score)
        tied = self.tie_rule == LOSS and score == progress.best_score and loss < progress.best_loss
        if better:
            progress.best_score, progress.improved = score, epoch
        if better or tied:
            progress.best_epoch, progress.best_loss = epoch, loss
        progress.epoch = epoch
        progress.finished = self.is_over(progress)
        return better or tied

    def state_in(self, fold_dir: Path) -> TrainingState:
        """Where the training in the folder of a fold stands by its log."""
        options = {"epochs": self.epochs, "patience": self.patience, "monitor": self.monitor}
        return training_state(fold_dir, options)

    def is_over(self, progress: Progress) -> bool:
        """Whether no epoch follows."""
        return progress.epoch >= self.epochs or progress.epoch - progress.improved >= self.patience


@dataclass
class Progress:
    """Where training stands after an epoch; with model and optimizer, all that `--resume` needs.

    Attributes:
        epoch: the last one that was trained.
        best_epoch: the one that is kept.
        best_score: its validation score.
        best_loss: its validation loss.
        improved: the epoch that reached this score first: from there on patience counts.
        finished: whether training has ended.
        log: the rows of `log.csv`.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_score: float | None = None
    best_loss: float = math.inf
    improved: int = 0
    finished: bool = False
    log: list[dict[str, float | None]] = field(default_factory=list)


def timing(progress: Progress, schedule: Schedule, to_come: FoldsToCome | None = None) -> str:
    """How long the last epoch took and the fold may take yet: `2.1 s, at most 6 min left`; patience may end it before.

    The epochs that are left are counted at the pace of the last ten. Where folds are to come, and one of the run is
    finished, what they take is added, if they end as that one did.
    """
    seconds = [row["seconds"] or 0.0 for row in progress.log]
    took = f"{seconds[-1]:.1f} s"
    if progress.finished:
        return took
    n_epochs = schedule.epochs - progress.epoch
    fold = f"{took}, at most {duration(most_left(seconds, n_epochs))} left"
    return fold if to_come is None else f"{fold}, {to_come.in_words(seconds, n_epochs)}"
