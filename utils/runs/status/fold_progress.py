"""How far each fold of a run is, by its files and its lock.

| state | |
|---|---|
| `done` | it has all that the calls of its run are to leave behind, as `utils.runs.fold_state.is_finished` says |
| `running` | a living process holds its lock, and works on it |
| `waiting` | a living process holds its lock, and works on another fold first |
| `failed` | no process holds its lock, and the log of the job queue ends with an error |
| `interrupted` | no process holds its lock, and it has files of a training that is not at its end, or not predicted |
| `missing` | nothing is there |
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from utils.files.lock_holder import Holder, holder_of
from utils.files.lock_owner import Owner
from utils.runs.epoch_log import log_columns
from utils.runs.fold_state import has_files, state_of_columns
from utils.runs.run_dir import fold_dir

DONE, RUNNING, WAITING, FAILED = "done", "running", "waiting", "failed"
INTERRUPTED, MISSING = "interrupted", "missing"
STATES = (DONE, RUNNING, WAITING, FAILED, INTERRUPTED, MISSING)
_CLOCKS = 2.0  # seconds by which the clocks of a disk and of a process may differ


@dataclass(frozen=True)
class FoldProgress:
    """How far a fold is.

    Attributes:
        fold: its number.
        state: one of `STATES`.
        seconds: of each epoch in its log; empty where that is lost.
        trained: whether no epoch follows, so that predictions alone are left.
        owner: the process that holds its lock, where one does and says who it is.
    """

    fold: int
    state: str
    seconds: tuple[float, ...] = ()
    trained: bool = False
    owner: Owner | None = None


def folds_of_run(
    run_dir: Path, folds: Sequence[int], locked: Collection[int], settings: Mapping[str, Any]
) -> tuple[FoldProgress, ...]:
    """How far these folds of a run are; none is `failed` yet, which its files do not tell.

    Args:
        run_dir: of the run.
        folds: their numbers.
        locked: the folds that have the file of a lock.
        settings: of the run, as `utils.runs.fold_state.is_finished` takes them.
    """
    # The locks first: a process that ends between this look and that at the files has left its files before its lock.
    holders = {k: holder_of(fold_dir(run_dir, k)) if k in locked else None for k in folds}
    found = [_fold(fold_dir(run_dir, k), k, holders[k], settings) for k in folds]
    # A process locks all of its folds and takes them one by one: that of the youngest log, or else the first.
    working: dict[object, tuple[float, int]] = {}
    for fold in found:
        if fold.state == RUNNING:
            process = _process(fold)
            working[process] = max(working.get(process, (0.0, -fold.fold)), (_written(run_dir, fold), -fold.fold))
    return tuple(
        replace(fold, state=WAITING) if fold.state == RUNNING and working[_process(fold)][1] != -fold.fold else fold
        for fold in found
    )


def _fold(place: Path, fold: int, holder: Holder | None, settings: Mapping[str, Any]) -> FoldProgress:
    """The state of a fold by itself: every fold that is locked and not done is `running`."""
    log = log_columns(place / "log.csv")
    at_end = state_of_columns(log, settings).at_end
    seconds = tuple((log or {}).get("seconds", ()))
    if at_end and has_files(place, settings):
        return FoldProgress(fold, DONE, seconds, trained=True)
    trained = at_end and bool(log)
    holder = holder or holder_of(place)  # one that has begun meanwhile
    if holder is not None:
        return FoldProgress(fold, RUNNING, seconds, trained, holder.owner)
    return FoldProgress(fold, INTERRUPTED if _is_begun(place) else MISSING, seconds, trained)


def _is_begun(place: Path) -> bool:
    try:
        return any(not name.startswith(".") for name in os.listdir(place))  # noqa: PTH208  names alone, no paths
    except OSError:
        return False


def _process(fold: FoldProgress) -> object:
    """What tells the process apart that holds the lock of a fold."""
    return fold.fold if fold.owner is None else (fold.owner.process, fold.owner.host)


def _written(run_dir: Path, fold: FoldProgress) -> float:
    """When the process that holds the lock of a fold last wrote its log; 0 where it has not done so."""
    if fold.owner is None:
        return 0.0
    try:
        began = datetime.fromisoformat(fold.owner.started).timestamp()
        written = (fold_dir(run_dir, fold.fold) / "log.csv").stat().st_mtime
    except (OSError, ValueError):
        return 0.0
    return written if written > began - _CLOCKS else 0.0
