"""How long trainings may take yet, by the epochs that are done and by the folds that are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from utils.files.lock_holder import holder_of
from utils.files.lock_owner import Owner
from utils.files.phrases import counted, duration
from utils.runs.epoch_log import log_columns
from utils.runs.fold_state import is_finished
from utils.runs.run_dir import fold_dir, locked_folds, result_folds

PACE = 10  # epochs that the remaining time is estimated by


def pace(seconds: Sequence[float]) -> float:
    """The seconds that an epoch takes: the mean of the last ten of them.

    Args:
        seconds: of each epoch, one at least.
    """
    return fmean(seconds[-PACE:])


def most_left(seconds: Sequence[float], n_epochs: int) -> float:
    """The seconds that a training may take yet: `n_epochs` at the pace of the last ten; patience may end it before.

    Args:
        seconds: of each epoch so far, one at least.
        n_epochs: that are left until the maximum number of epochs.
    """
    return n_epochs * pace(seconds)


def likely_left(seconds: Sequence[float], n_epochs: int, finished: Sequence[float]) -> float:
    """The seconds that a training takes yet if it ends as others have: one epoch at least, `n_epochs` at most.

    Args:
        seconds: of each epoch so far; none where it has not begun.
        n_epochs: that are left until the maximum number of epochs.
        finished: the seconds of each training that is done, one at least.
    """
    left = fmean(finished) - sum(seconds)
    return min(max(left, pace(seconds)), most_left(seconds, n_epochs)) if seconds else left


@dataclass(frozen=True)
class FoldsToCome:
    """The folds that this process trains after the one at hand.

    Attributes:
        number: how many, one at least.
        finished: the seconds of each training of the run that is done, one at least.
    """

    number: int
    finished: tuple[float, ...]

    def in_words(self, seconds: Sequence[float], n_epochs: int) -> str:
        """What they and the fold at hand take: `about 20 min with the 2 folds to come`."""
        left = likely_left(seconds, n_epochs, self.finished) + self.number * fmean(self.finished)
        return f"about {duration(left)} with the {counted(self.number, 'fold')} to come"


def folds_to_come(run_dir: Path, fold: int, settings: Mapping[str, Any]) -> FoldsToCome | None:
    """The folds that come after this one, by the locks that this process holds; None without any, or a finished one.

    Args:
        run_dir: of the run.
        fold: at hand.
        settings: of the training, as `utils.runs.fold_state.is_finished` takes them.
    """
    this = Owner.this_process()
    finished, number = [], 0
    for place in _beside(run_dir, fold):
        if is_finished(place, settings):
            finished.append(sum(seconds_of(place)))
        elif (holder := holder_of(place)) and holder.owner is not None:
            number += (holder.owner.process, holder.owner.host) == (this.process, this.host)
    times = tuple(seconds for seconds in finished if seconds)
    return FoldsToCome(number, times) if number and times else None


def seconds_of(place: Path) -> list[float]:
    """The seconds of each epoch of a fold; none where its log is lost, damaged, or without them."""
    return (log_columns(place / "log.csv") or {}).get("seconds", [])


def _beside(run_dir: Path, fold: int) -> list[Path]:
    """The folders of the other folds of a run that have one, or a lock."""
    locked = locked_folds(path.name for path in run_dir.glob(".fold*.lock"))
    return [fold_dir(run_dir, k) for k in sorted(locked | result_folds(run_dir).keys()) if k != fold]
