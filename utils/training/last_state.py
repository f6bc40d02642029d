"""`last.pt`: all that `--resume` needs of a training, after an epoch or within one; written and read here."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

from utils.errors import UserError
from utils.files.tensors import first_line
from utils.machine.random_state import random_state, restore_random_state
from utils.training.checkpoint import load_checkpoint, save_checkpoint
from utils.training.engine import Position, Runner
from utils.training.schedule import Progress

logger = logging.getLogger(__name__)

# What loading a state that is not one of this training raises in torch and here.
_UNFIT = (KeyError, TypeError, ValueError, RuntimeError, AttributeError, IndexError)


@dataclass
class Within:
    """Where an epoch was left that is to be gone on with.

    Attributes:
        position: between two of its optimizer steps.
        seconds: that it took so far.
        random: the state of the random generators; None at its beginning, where they are seeded.
    """

    position: Position = field(default_factory=Position)
    seconds: float = 0.0
    random: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class LastState:
    """A training with what it changes, beside its progress, and the file that keeps all of it.

    Attributes:
        fold_dir: the folder of the fold, with `last.pt` and the `checkpoint.pt` that it counts on.
        runner: holds the model and its device.
        optimizer: of the model's parameters.
        scaler: of the gradients.
    """

    fold_dir: Path
    runner: Runner
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler

    @property
    def path(self) -> Path:
        """`last.pt` of the fold."""
        return self.fold_dir / "last.pt"

    def save(self, progress: Progress, within: Within | None = None) -> None:
        """Write the state after the last epoch of `progress`, or within the epoch that follows it."""
        state = {"progress": asdict(progress), "model": self.runner.model.state_dict()}
        state |= {"optimizer": self.optimizer.state_dict(), "scaler": self.scaler.state_dict()}
        if within is not None:
            random = random_state(self.runner.device)
            state["within"] = {**asdict(within.position), "seconds": within.seconds, "random": random}
        save_checkpoint(self.path, state)

    def restore(self, n_batches: int) -> tuple[Progress, Within]:
        """Where `last.pt` stopped, or the beginning where it, or the checkpoint that it counts on, is not there.

        Args:
            n_batches: of an epoch.

        Raises:
            UserError: for a file that cannot be read, or whose values are impossible or of another training.
        """
        if not self.path.exists():
            if (self.fold_dir / "log.csv").exists():
                self._begin_again("last.pt")
            return Progress(), Within()
        state = load_checkpoint(self.path)
        try:
            progress = progress_of(state["progress"])
            within = within_of(state.get("within"), n_batches)
            if progress.best_epoch and not (self.fold_dir / "checkpoint.pt").exists():
                self._begin_again("checkpoint.pt")
                return Progress(), Within()
            self.runner.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.scaler.load_state_dict(state["scaler"])
            if within.random is not None:
                restore_random_state(within.random, self.runner.device)  # fails here, not after the first batch
        except _UNFIT as error:
            what = f"it has no {error}" if isinstance(error, KeyError) else first_line(error)
            raise UserError(
                f"{self.path} does not hold the state of this training ({what}): remove it to train this fold from the "
                "beginning"
            ) from error
        return progress, within

    def _begin_again(self, lost: str) -> None:
        logger.warning("warning: %s has lost its %s, so it is trained from the beginning", self.fold_dir, lost)


def progress_of(state: Mapping[str, Any]) -> Progress:
    """The progress that a file holds; what it holds beside is ignored.

    Raises:
        ValueError: for a value that no training leaves behind.
        KeyError: for one that is missing.
    """
    known = {each.name: state[each.name] for each in fields(Progress) if each.name in state}
    # In files without a format the best epoch was always the one that had improved the score.
    progress = Progress(**{"improved": state["best_epoch"], **known})
    _whole("epoch", progress.epoch, 0, None)
    _whole("best_epoch", progress.best_epoch, min(progress.epoch, 1), progress.epoch)
    _whole("improved", progress.improved, min(progress.epoch, 1), progress.best_epoch)
    score = progress.best_score
    if not (_is_number(score) if progress.epoch else score is None):
        raise ValueError(f"best_score is {score!r:.40}, expected {'a number' if progress.epoch else 'none'}")
    if not isinstance(progress.best_loss, float) or math.isnan(progress.best_loss):
        raise ValueError(f"best_loss is {progress.best_loss!r:.40}, expected a number")
    rows = progress.log
    numbered = isinstance(rows, list) and all(row["epoch"] == number for number, row in enumerate(rows, start=1))
    if not numbered or len(rows) != progress.epoch:
        raise ValueError(f"its log is not one of {progress.epoch} epochs")
    return progress


def within_of(state: Mapping[str, Any] | None, n_batches: int) -> Within:
    """Where a file says that an epoch of `n_batches` was left; None: at its beginning.

    Raises:
        ValueError: for a place that such an epoch does not have.
        KeyError: for a value that is missing.
    """
    if state is None:
        return Within()
    _whole("batches", state["batches"], 1, n_batches)
    for name in ("loss_sum", "seconds"):
        if not _is_number(state[name]):
            raise ValueError(f"{name} is {state[name]!r:.40}, expected a number")
    return Within(Position(state["batches"], state["loss_sum"]), state["seconds"], state["random"])


def _whole(name: str, value: Any, least: int, most: int | None) -> None:
    """Check an integer from `least` to `most`."""
    fits = isinstance(value, int) and not isinstance(value, bool) and value >= least
    if not fits or (most is not None and value > most):
        upwards = "on" if most is None else f"to {most}"
        raise ValueError(f"{name} is {value!r:.40}, expected a whole number from {least} {upwards}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
