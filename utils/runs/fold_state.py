"""How far a fold has come: its training by `log.csv`, and whether it has what a call is to leave behind."""

from __future__ import annotations

import json
import math
import os
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.runs.epoch_log import log_columns
from utils.runs.tasks import TASKS

if TYPE_CHECKING:
    import pandas as pd

LOSS = "val_loss"
_OF_TESTS = ("predictions_test.csv", "metrics.json")  # what only a fold with opened test cases has


@dataclass(frozen=True)
class TrainingState:
    """Where the training of a fold stands.

    Attributes:
        epoch: the last one of the log; None where the log is lost or does not show the score that selects the epoch.
        stopped_early: whether it ended by patience: no epoch follows, whatever `--epochs` is.
        at_end: whether no epoch follows. True where the log is lost: then the other files of the fold decide.
    """

    epoch: int | None
    stopped_early: bool
    at_end: bool


def training_state(place: Path, settings: Mapping[str, Any]) -> TrainingState:
    """The state of the training in the folder of a fold.

    Args:
        place: `RUN_DIR/fold{k}`.
        settings: of the run as `run.json` has them, of which `epochs`, `patience` and `monitor` are used.
    """
    return state_of_columns(log_columns(place / "log.csv"), settings)


def state_of(log: pd.DataFrame | None, settings: Mapping[str, Any]) -> TrainingState:
    """The state of a training by its log (see `utils.runs.epoch_log`), None where that is lost."""
    return state_of_columns(None if log is None else {name: log[name].tolist() for name in log}, settings)


def state_of_columns(log: Mapping[str, Sequence[float]] | None, settings: Mapping[str, Any]) -> TrainingState:
    """The same by `utils.runs.epoch_log.log_columns`."""
    monitor = settings.get("monitor")
    scores = [] if log is None or monitor is None else log.get(monitor, [])
    if not scores or not {"epochs", "patience"} <= settings.keys() or any(map(math.isnan, scores)):
        return TrainingState(None, stopped_early=False, at_end=True)
    best = min(scores) if monitor == LOSS else max(scores)
    epoch, improved = len(scores), scores.index(best) + 1  # the first of equal scores
    stopped_early = epoch - improved >= settings["patience"]
    return TrainingState(epoch, stopped_early, stopped_early or epoch >= settings["epochs"])


def is_finished(place: Path, settings: Mapping[str, Any]) -> bool:
    """Whether a fold has every file that a call with these settings is to leave behind, of a training at its end.

    The stage `test` does not train, so that it does not matter there whether the training is at its end.
    """
    return has_files(place, settings) and (settings["stage"] == "test" or training_state(place, settings).at_end)


def has_files(place: Path, settings: Mapping[str, Any]) -> bool:
    """Whether a fold has every file of its stage; `train` leaves all but what needs the test cases."""
    stage, needed = settings["stage"], TASKS[settings["task"]].fold_files
    if stage == "train":
        needed = ("checkpoint.pt", *(name for name in needed if name not in _OF_TESTS))
    return all(_is_whole(place / name) for name in needed)


def _is_whole(path: Path) -> bool:
    """Whether a file is there and was not cut off: an empty or broken one does not make a fold finished."""
    try:
        if path.suffix == ".json":
            return isinstance(json.loads(path.read_bytes()), dict)
        if path.suffix == ".pt":
            return zipfile.is_zipfile(path)
        with path.open("rb", buffering=0) as file:
            file.seek(-1, os.SEEK_END)
            return file.read() == b"\n"
    except (OSError, ValueError, RecursionError):
        return False


def remove_predictions(place: Path) -> bool:
    """Remove what was made with the checkpoint of a fold that is to be trained further; whether there was anything."""
    made = [path for path in (*place.glob("predictions_*.csv"), place / "metrics.json") if path.exists()]
    for path in made:
        path.unlink()
    if (place / "explain").is_dir():
        shutil.rmtree(place / "explain")
    return bool(made)
