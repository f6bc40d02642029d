"""What is left of runs, by the epochs of their own folds and the folds that are done: in seconds of one process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from utils.runs.status.fold_progress import DONE, RUNNING, FoldProgress
from utils.runs.status.run_progress import RunProgress
from utils.runs.time_left import likely_left, most_left, pace


@dataclass
class Times:
    """What trainings of one kind have taken.

    Attributes:
        finished: the seconds of each fold that is done.
        paces: the seconds an epoch of each fold that has one.
    """

    finished: list[float] = field(default_factory=list)
    paces: list[float] = field(default_factory=list)

    def add(self, folds: Iterable[FoldProgress]) -> None:
        """Count these folds too."""
        for fold in folds:
            if fold.seconds:
                self.paces.append(pace(fold.seconds))
                if fold.state == DONE:
                    self.finished.append(sum(fold.seconds))


@dataclass(frozen=True)
class Left:
    """The seconds that are left; None where nothing is there to go by.

    Attributes:
        most: if every fold has its maximum number of epochs, which patience may cut short.
        likely: if folds end as those of the same run did that are done, or else of the same model and data set.
    """

    most: float | None
    likely: float | None


class Estimates:
    """What is left of each fold of some runs.

    Args:
        runs: all that may tell of each other.
    """

    def __init__(self, runs: Sequence[RunProgress]) -> None:
        self._of_kind: dict[tuple[str, str, str], Times] = {}
        for run in runs:
            self._of_kind.setdefault(run.kind, Times()).add(run.folds)

    def of_folds(self, run: RunProgress) -> dict[int, Left]:
        """{fold: what is left of it} of the folds of a run that are not done."""
        own, alike = Times(), self._of_kind.get(run.kind, Times())
        own.add(run.folds)
        finished, paces = own.finished or alike.finished, own.paces or alike.paces
        return {fold.fold: _left(fold, run.epochs, finished, paces) for fold in run.folds if fold.state != DONE}


def _left(fold: FoldProgress, epochs: int | None, finished: Sequence[float], paces: Sequence[float]) -> Left:
    if fold.trained:  # predicting takes as long as an epoch, or less
        return Left(0.0, 0.0)
    if epochs is None:
        return Left(None, None)
    n_epochs = max(epochs - len(fold.seconds), 0)
    likely = likely_left(fold.seconds, n_epochs, finished) if finished else None
    if fold.seconds:
        return Left(most_left(fold.seconds, n_epochs), likely)
    if not paces:
        return Left(None, likely)
    most = n_epochs * fmean(paces)
    return Left(most, None if likely is None else min(likely, most))  # others may have been slower an epoch


@dataclass(frozen=True)
class Total:
    """What is left of several folds together; `n_unknown` of them have nothing to go by, and are left out of a sum."""

    most: float
    n_unknown_most: int
    likely: float
    n_unknown_likely: int
    n_folds: int


def total(left: Iterable[Left]) -> Total:
    """The sum of what is left of folds."""
    every = list(left)
    most = [one.most for one in every if one.most is not None]
    likely = [one.likely for one in every if one.likely is not None]
    return Total(sum(most), len(every) - len(most), sum(likely), len(every) - len(likely), len(every))


def processes_at_work(runs: Iterable[RunProgress]) -> Mapping[tuple[int, str], list[str]]:
    """{process and host: `run, fold k`, which it works on} of the processes that are known by name."""
    found: dict[tuple[int, str], list[str]] = {}
    for run in runs:
        for fold in run.folds:
            if fold.state == RUNNING and fold.owner is not None:
                key = fold.owner.process, fold.owner.host
                found.setdefault(key, []).append(f"{run.name}, fold {fold.fold}")
    return found
