"""How far each run below a results folder is, and the planned ones of `RESULTS/tables/plan.csv`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from utils.errors import UserError, cannot_read
from utils.runs.protocol import completed
from utils.runs.run_dir import RECORD, locked_folds
from utils.runs.run_plan import PlannedRun, read_plan
from utils.runs.run_record import read_run
from utils.runs.status.fold_progress import (
    DONE,
    FAILED,
    INTERRUPTED,
    MISSING,
    RUNNING,
    WAITING,
    FoldProgress,
    folds_of_run,
)
from utils.runs.status.job_logs import JobLogs

PLAN = Path("tables", "plan.csv")
_DEPTH = 3  # RESULTS/TASK/DATASET/RUN_NAME
_OTHER_FOLDER = "name the folder that main.py --results_dir wrote to"


@dataclass(frozen=True)
class RunProgress:
    """How far a run is.

    Attributes:
        path: its folder.
        name: the same, from the results folder on.
        kind: task, data set and model; empty texts where a run has not said so yet.
        epochs: maximum number of epochs, None where it is not known.
        folds: of the run; a planned run has those of the other runs of its data set, none where there are none.
        failure: what the log of the job queue ends with, where some of the folds are not done.
    """

    path: Path
    name: str
    kind: tuple[str, str, str]
    epochs: int | None
    folds: tuple[FoldProgress, ...]
    failure: str | None = None

    @property
    def is_done(self) -> bool:
        """Whether all of its folds are done, of which there is one at least."""
        return bool(self.folds) and all(fold.state == DONE for fold in self.folds)


@dataclass(frozen=True)
class Progress:
    """How far everything below a results folder is.

    Attributes:
        results_dir: the folder.
        runs: in the order of their names.
        failures: file and sentence of the logs that end with an error and belong to no run, such as those of anchors.
        problems: what could not be read, in sentences.
    """

    results_dir: Path
    runs: tuple[RunProgress, ...]
    failures: tuple[tuple[str, str], ...]
    problems: tuple[str, ...]


def progress_of(results_dir: Path) -> Progress:
    """How far all runs below a folder are.

    Raises:
        UserError: the folder is not there, or holds neither a run nor a plan of runs.
    """
    logs, problems = JobLogs(results_dir), list[str]()
    found = dict(_run_folders(results_dir))
    runs = []
    for path, names in found.items():
        try:
            runs.append(_run(results_dir, path, names, logs))
        except UserError as error:
            if (path / RECORD).exists():
                problems.append(str(error))
            elif path.exists():  # it is begun anew at this moment
                runs.append(_without_record(path, _name(results_dir, path), names))
    try:
        planned = read_plan(results_dir / PLAN) if (results_dir / PLAN).exists() else []
    except UserError as error:
        planned, problems = [], [*problems, str(error)]
    if not found and not planned and not problems:
        raise UserError(f"{results_dir}: holds no run, expected TASK/DATASET/RUN_NAME/{RECORD}; {_OTHER_FOLDER}")
    there = {os.path.abspath(path) for path in found}  # noqa: PTH100  not resolved: a key
    runs += [_not_begun(results_dir, run, runs, logs) for run in planned if os.path.abspath(run.path) not in there]  # noqa: PTH100
    ordered = tuple(sorted(runs, key=lambda run: run.name))
    return Progress(results_dir, ordered, tuple(logs.others()), tuple(problems))


def _run_folders(place: Path, depth: int = 0) -> Iterator[tuple[Path, list[str]]]:
    """The folders of runs, with the names in them: by `run.json`, or by the lock of a run that is about to begin."""
    try:
        with os.scandir(place) as entries:
            listed = [(entry.name, entry.is_dir()) for entry in entries]
    except OSError as error:
        if depth:  # removed meanwhile, or another user's
            return
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            raise UserError(f"{place}: is no folder, expected one of results; {_OTHER_FOLDER}") from error
        raise cannot_read(place, error) from error
    names = [name for name, _ in listed]
    if RECORD in names or locked_folds(names):
        yield place, names
    elif depth < _DEPTH:
        for name in sorted(name for name, is_dir in listed if is_dir and not name.startswith(".")):
            yield from _run_folders(place / name, depth + 1)


def _run(results_dir: Path, path: Path, names: Sequence[str], logs: JobLogs) -> RunProgress:
    """A run of which there is something; UserError for a `run.json` that cannot be read."""
    if RECORD not in names:  # its process still checks the features, and has written nothing
        return _without_record(path, _name(results_dir, path), names)
    locked = locked_folds(names)
    record = completed(read_run(path))
    numbers = {int(name[4:]) for name in names if name.startswith("fold") and name[4:].isascii() and name[4:].isdigit()}
    folds = folds_of_run(path, sorted({*record["folds"], *numbers, *locked}), locked, _asked(record))
    run = RunProgress(
        path,
        _name(results_dir, path),
        (record["task"], record["dataset"], record["model"]),
        record["settings"].get("epochs"),
        folds,
    )
    names = logs.take(f"{record['task']}_{record['dataset']}_{path.name}")
    return run if run.is_done else _with_failure(run, logs.failure(names, since=_written(path)))


def _without_record(path: Path, name: str, names: Sequence[str]) -> RunProgress:
    """A run of which nothing is there but its locks."""
    locked = locked_folds(names)
    folds = folds_of_run(path, sorted(locked), locked, {"task": "cls", "stage": "all"})
    return RunProgress(path, name, ("", "", ""), None, tuple(f for f in folds if f.state in (RUNNING, WAITING)))


def _name(results_dir: Path, path: Path) -> str:
    return path.name if path == results_dir else path.relative_to(results_dir).as_posix()


def _asked(record: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a run, whose stage is `train` only where no call has asked for more."""
    calls = [record["settings"], *(call.get("settings", {}) for call in record.get("resumed", ()))]
    stage = "train" if {call.get("stage") for call in calls} == {"train"} else "all"
    return {**record["settings"], "task": record["task"], "stage": stage}


def _with_failure(run: RunProgress, said: str | None) -> RunProgress:
    """The run, whose first fold that is neither done nor locked is the one that failed."""
    open_folds = [fold for fold in run.folds if fold.state in (INTERRUPTED, MISSING)]
    if said is None or (run.folds and not open_folds):
        return run
    first = next((fold for fold in open_folds if fold.state == INTERRUPTED), open_folds[0] if open_folds else None)
    folds = tuple(replace(fold, state=FAILED) if fold is first else fold for fold in run.folds)
    return replace(run, folds=folds, failure=said)


def _written(path: Path) -> float:
    """When the last call of a run began."""
    try:
        return (path / RECORD).stat().st_mtime
    except OSError:
        return 0.0


def _not_begun(results_dir: Path, run: PlannedRun, others: Sequence[RunProgress], logs: JobLogs) -> RunProgress:
    """A planned run of which nothing is there, with the folds of the other runs of its data set."""
    kind = (run.task, run.dataset, run.model)
    alike = [other for other in others if other.kind[:2] == kind[:2]]
    folds = sorted({fold.fold for other in alike for fold in other.folds})
    epochs = {other.epochs for other in alike}
    name = Path(os.path.relpath(run.path, results_dir)).as_posix()
    found = RunProgress(
        run.path,
        name,
        kind,
        epochs.pop() if len(epochs) == 1 else None,
        tuple(FoldProgress(fold, MISSING) for fold in folds),
    )
    return _with_failure(found, logs.failure(logs.take(f"{run.task}_{run.dataset}_{run.path.name}")))
