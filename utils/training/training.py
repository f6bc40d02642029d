"""Training of one fold: epochs, early stopping, the best checkpoint, and all that a resumed run needs."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datasets.batches import EvaluationBatches, TrainingBatches
from utils.errors import UserError
from utils.files.phrases import duration
from utils.machine.seed import derive_seed, seed_everything
from utils.runs.epoch_log import write_log
from utils.training.checkpoint import load_checkpoint, save_checkpoint
from utils.training.engine import Objective, Runner, predict, train_epoch

logger = logging.getLogger(__name__)

LOSS = "val_loss"
PACE = 10  # epochs that the remaining time is estimated by


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


def train(
    runner: Runner,
    training: TrainingBatches,
    validation: EvaluationBatches,
    objective: Objective,
    evaluate: Callable[[Tensor], dict[str, float | None]],
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    fold_dir: Path,
    *,
    checkpoint: dict[str, Any],
    on_epoch: Callable[[dict[str, float | None]], None] | None = None,
) -> Progress:
    """Train a fold to its best checkpoint, or continue where `last.pt` stopped.

    Each epoch reseeds dropout from (seed, fold, epoch), so that a run continued after any epoch repeats an
    uninterrupted one exactly (on the CPU; GPU sums are not ordered).

    Args:
        runner: holds the model that is trained.
        training: batches of the training cases.
        validation: batches of the validation cases.
        objective: maps the model's output and targets to the mean loss of the cases.
        evaluate: maps the validation logits (n, C) to the `val_*` columns of the log.
        optimizer: of the model's parameters.
        schedule: how long, and by which score.
        fold_dir: where `checkpoint.pt` (if best), `log.csv` and `last.pt` are written after each epoch, in this order:
            a run stopped between them repeats the epoch.
        checkpoint: what goes into `checkpoint.pt` beside the model and its epoch.
        on_epoch: receives each row of the log once it is written.

    Returns:
        The state after the last epoch.

    Raises:
        UserError: if a training loss or the validation score is not finite.
    """
    scaler = torch.amp.GradScaler(runner.device.type, enabled=runner.precision == "fp16")
    progress = _restore(fold_dir, runner, optimizer, scaler)
    progress.finished = schedule.is_over(progress)  # a run whose `epochs` was raised goes on
    while not progress.finished:
        epoch, started = progress.epoch + 1, time.perf_counter()
        seed_everything(derive_seed(schedule.seed, "epoch", schedule.fold, epoch))
        name = f"fold {schedule.fold} epoch {epoch}"
        train_loss = train_epoch(
            runner,
            training.epoch(epoch),
            training.batch_sizes,
            objective,
            optimizer,
            scaler,
            grad_accum=schedule.grad_accum,
            epoch=epoch,
            label=name,
        )
        measured = evaluate(predict(runner, validation, n_batches=len(validation), label=f"{name} validation"))
        score = measured[schedule.monitor]
        if score is None or not math.isfinite(score):
            raise UserError(
                f"{schedule.monitor} is {score} after epoch {epoch}: look at the validation features or lower --lr"
            )
        best = schedule.update(progress, epoch, measured)
        if best:
            model_state = runner.model.state_dict()
            save_checkpoint(fold_dir / "checkpoint.pt", {**checkpoint, "model": model_state, "epoch": epoch})
        row = {"epoch": epoch, "train_loss": train_loss, **measured, "lr": optimizer.param_groups[0]["lr"]}
        progress.log.append({**row, "seconds": round(time.perf_counter() - started, 3), "best": int(best)})
        write_log(fold_dir / "log.csv", progress.log)
        _save(fold_dir / "last.pt", progress, runner, optimizer, scaler)
        if on_epoch is not None:
            on_epoch(progress.log[-1])
        shown = "  ".join(
            f"{key} {value:.4f}" for key, value in {"train_loss": train_loss, **measured}.items() if value is not None
        )
        logger.info("%s  %s  %s%s", name, shown, timing(progress, schedule), "  *" if best else "")
    return progress


def timing(progress: Progress, schedule: Schedule) -> str:
    """How long the last epoch took and the fold may take yet: `2.1 s, at most 6 min left`; patience may end it before.

    The epochs that are left are counted at the pace of the last ten.
    """
    seconds = [row["seconds"] or 0.0 for row in progress.log[-PACE:]]
    took = f"{seconds[-1]:.1f} s"
    if progress.finished:
        return took
    left = (schedule.epochs - progress.epoch) * sum(seconds) / len(seconds)
    return f"{took}, at most {duration(left)} left"


def _save(
    path: Path, progress: Progress, runner: Runner, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler
) -> None:
    state = {"progress": asdict(progress), "model": runner.model.state_dict()}
    save_checkpoint(path, {**state, "optimizer": optimizer.state_dict(), "scaler": scaler.state_dict()})


def _restore(
    fold_dir: Path, runner: Runner, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler
) -> Progress:
    """Where `last.pt` stopped, or the beginning where it, or the checkpoint that it counts on, is not there."""
    last = fold_dir / "last.pt"
    if not last.exists():
        if (fold_dir / "log.csv").exists():
            logger.warning("warning: %s has lost its last.pt, so it is trained from the beginning", fold_dir)
        return Progress()
    if not (fold_dir / "checkpoint.pt").exists():
        logger.warning("warning: %s has lost its checkpoint.pt, so it is trained from the beginning", fold_dir)
        return Progress()
    state = load_checkpoint(last)
    runner.model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    scaler.load_state_dict(state["scaler"])
    # Until 2026-11 the best epoch was always the one that had improved the score.
    return Progress(**{"improved": state["progress"]["best_epoch"], **state["progress"]})
