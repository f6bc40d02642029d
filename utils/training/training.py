"""Training of one fold: epochs, early stopping, the best checkpoint, and a stop that loses nothing."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datasets.bags import Batch
from datasets.batches import EvaluationBatches, TrainingBatches
from utils.errors import UserError
from utils.machine.interruption import Requests, at_boundaries
from utils.machine.random_state import restore_random_state
from utils.machine.seed import derive_seed, seed_everything
from utils.runs.epoch_log import write_log
from utils.runs.time_left import FoldsToCome
from utils.training.checkpoint import save_checkpoint
from utils.training.engine import Objective, Position, Runner, predict, train_epoch
from utils.training.finite import check_weights
from utils.training.last_state import LastState, Within
from utils.training.schedule import Progress, Schedule, timing

logger = logging.getLogger(__name__)


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
    to_come: FoldsToCome | None = None,
) -> Progress:
    """Train a fold to its best checkpoint, or continue where `last.pt` stopped.

    Each epoch reseeds dropout from (seed, fold, epoch), so that a run continued after any epoch repeats an
    uninterrupted one exactly (on the CPU; GPU sums are not ordered). A signal that asks the process to end stops it at
    the next optimizer step, with all that is needed to go on there in `last.pt`; then, too, it is repeated exactly.

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
        to_come: the folds after this one, for the time left that is logged.

    Returns:
        The state after the last epoch.

    Raises:
        UserError: if a loss, a gradient, the weights, a validation logit or the validation score is not finite, or
            `last.pt` is not of this training.
        Terminated: for a signal, once all is saved.
    """
    scaler = torch.amp.GradScaler(runner.device.type, enabled=runner.precision == "fp16")
    last = LastState(fold_dir, runner, optimizer, scaler)
    if not last.path.exists() and (ended := _ended_before(fold_dir, schedule)):
        return ended
    progress, within = last.restore(len(training.batch_sizes))
    progress.finished = schedule.is_over(progress)  # a run whose `epochs` was raised goes on
    with at_boundaries() as requests:
        while not progress.finished:
            epoch = _Epoch(last, schedule, progress, within, requests)
            train_loss = epoch.train(training, objective)
            measured = evaluate(epoch.validate(validation))
            _check_scores(measured, schedule.monitor, epoch)
            best = schedule.update(progress, epoch.number, measured)
            if best:
                model_state = runner.model.state_dict()
                save_checkpoint(fold_dir / "checkpoint.pt", {**checkpoint, "model": model_state, "epoch": epoch.number})
            row = {"epoch": epoch.number, "train_loss": train_loss, **measured, "lr": optimizer.param_groups[0]["lr"]}
            progress.log.append({**row, "seconds": round(epoch.seconds(), 3), "best": int(best)})
            write_log(fold_dir / "log.csv", progress.log)
            last.save(progress)
            if on_epoch is not None:
                on_epoch(progress.log[-1])
            shown = "  ".join(
                f"{key} {value:.4f}"
                for key, value in {"train_loss": train_loss, **measured}.items()
                if value is not None
            )
            times = timing(progress, schedule, to_come)
            logger.info("%s  %s  %s%s", epoch.name, shown, times, "  *" if best else "")
            within = Within()
            requests.check()  # the epoch is saved as a whole
    return progress


@dataclass
class _Epoch:
    """The epoch that follows on `progress`, from where it was left to its validation.

    Attributes:
        last: the training with the file that keeps it.
        schedule: of the training.
        progress: before this epoch.
        within: where the epoch was left.
        requests: to end the process.
    """

    last: LastState
    schedule: Schedule
    progress: Progress
    within: Within
    requests: Requests

    def __post_init__(self) -> None:
        self.number = self.progress.epoch + 1
        self.name = f"fold {self.schedule.fold} epoch {self.number}"
        self._started = time.perf_counter()

    def train(self, training: TrainingBatches, objective: Objective) -> float:
        """Train on the batches that are left, and return the mean loss over the cases of the whole epoch."""
        runner, position = self.last.runner, self.within.position
        seed_everything(derive_seed(self.schedule.seed, "epoch", self.schedule.fold, self.number))
        if self.within.random is not None:
            restore_random_state(self.within.random, runner.device)
        self.n_batches = len(training.batch_sizes)
        loss = train_epoch(
            runner,
            training.epoch(self.number, position.batches),
            training.batch_sizes,
            objective,
            self.last.optimizer,
            self.last.scaler,
            grad_accum=self.schedule.grad_accum,
            epoch=self.number,
            label=self.name,
            start=position,
            after_step=self._stop_if_asked,
        )
        check_weights(runner.model, self.number)
        return loss

    def validate(self, validation: EvaluationBatches) -> Tensor:
        """The logits (n, C) of the validation cases."""
        batches, label = self._until_asked(validation), f"{self.name} validation"
        return predict(self.last.runner, batches, n_batches=len(validation), label=label)

    def seconds(self) -> float:
        """What the epoch took so far, before an interruption too."""
        return self.within.seconds + time.perf_counter() - self._started

    def _until_asked(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        for batch in batches:
            self._stop_if_asked(self.within.position)
            yield batch

    def _stop_if_asked(self, position: Position) -> None:
        """End the process here, with all that is needed to go on from here, if a signal has asked for it."""
        if self.requests.number is None:
            return
        self.last.save(self.progress, Within(position, self.seconds()))
        logger.info("%s: stopped after %d of %d batches, and saved", self.name, position.batches, self.n_batches)
        self.requests.check()


def _check_scores(measured: Mapping[str, float | None], monitor: str, epoch: _Epoch) -> None:
    """Check that the score that selects the epoch is there, and that every one that is there is finite."""
    for name, value in measured.items():
        if (value is None and name == monitor) or (value is not None and not math.isfinite(value)):
            raise UserError(
                f"{name} is {value} after {epoch.name}: look at the validation features or lower --lr; the checkpoint "
                "of the epochs before stays"
            )


def _ended_before(fold_dir: Path, schedule: Schedule) -> Progress | None:
    """The progress of a fold whose log says that no epoch follows; its `last.pt` may have been removed since."""
    state = schedule.state_in(fold_dir)
    if state.epoch is None or not state.at_end or not (fold_dir / "checkpoint.pt").exists():
        return None
    return Progress(epoch=state.epoch, finished=True)
