"""Training of one fold: epochs, early stopping, the best checkpoint, and all that a resumed run needs."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datasets.batches import EvaluationBatches, TrainingBatches
from utils.errors import UserError
from utils.machine.seed import derive_seed, seed_everything
from utils.runs.epoch_log import write_log
from utils.runs.tasks import Task
from utils.training.checkpoint import load_checkpoint, save_checkpoint
from utils.training.engine import Objective, Runner, predict, train_epoch

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Schedule:
    """How long to train, and by what.

    Attributes:
        epochs: maximum number of epochs.
        patience: epochs without a better validation score before stopping.
        grad_accum: batches in an optimizer step.
        task: says which column of the log selects the epoch, and whether its lowest or its highest value.
        seed: of the whole run.
        fold: for seeds and messages.
    """

    epochs: int
    patience: int
    grad_accum: int
    task: Task
    seed: int
    fold: int

    def better(self, new: float, old: float | None) -> bool:
        """Whether a score beats another; a tie does not."""
        return old is None or (new < old if self.task.lower_is_better else new > old)


@dataclass
class Progress:
    """Where training stands after an epoch; with model and optimizer, all that `--resume` needs."""

    epoch: int = 0
    best_epoch: int = 0
    best_score: float | None = None
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
        score = measured[schedule.task.score]
        if score is None or not math.isfinite(score):
            raise UserError(
                f"{schedule.task.score} is {score} after epoch {epoch}: look at the validation features or lower --lr"
            )
        best = schedule.better(score, progress.best_score)
        if best:
            progress.best_epoch, progress.best_score = epoch, score
            model_state = runner.model.state_dict()
            save_checkpoint(fold_dir / "checkpoint.pt", {**checkpoint, "model": model_state, "epoch": epoch})
        progress.epoch = epoch
        progress.finished = epoch == schedule.epochs or epoch - progress.best_epoch >= schedule.patience
        row = {"epoch": epoch, "train_loss": train_loss, **measured, "lr": optimizer.param_groups[0]["lr"]}
        progress.log.append({**row, "seconds": round(time.perf_counter() - started, 3), "best": int(best)})
        write_log(fold_dir / "log.csv", progress.log)
        _save(fold_dir / "last.pt", progress, runner, optimizer, scaler)
        if on_epoch is not None:
            on_epoch(progress.log[-1])
        shown = "  ".join(
            f"{key} {value:.4f}" for key, value in {"train_loss": train_loss, **measured}.items() if value is not None
        )
        logger.info("%s  %s%s", name, shown, "  *" if best else "")
    return progress


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
        return Progress()
    if not (fold_dir / "checkpoint.pt").exists():
        logger.warning("warning: %s has lost its checkpoint.pt, so it is trained from the beginning", fold_dir)
        return Progress()
    state = load_checkpoint(last)
    runner.model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    scaler.load_state_dict(state["scaler"])
    return Progress(**state["progress"])
