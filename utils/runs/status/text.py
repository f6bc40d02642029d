"""The progress of runs as a table for a terminal, and as JSON for machines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from utils.files.phrases import agreeing, counted, duration, listed
from utils.files.text_table import markdown_table
from utils.runs.status.estimates import Estimates, Left, Total, processes_at_work, total
from utils.runs.status.fold_progress import DONE, FAILED, RUNNING, STATES, FoldProgress
from utils.runs.status.run_progress import Progress, RunProgress
from utils.runs.time_left import pace

_HEADER = ["run", "done", "not done", "s an epoch", "time left"]
_NOTHING = "–"


def in_words(progress: Progress) -> str:
    """A row for each run, then failures, processes, counts and the time left of all."""
    estimates = Estimates(progress.runs)
    left = {run.name: estimates.of_folds(run) for run in progress.runs}
    lines = [markdown_table([_HEADER, *(_row(run, left[run.name]) for run in progress.runs)])] if progress.runs else []
    lines += _failures(progress)
    lines += [f"not read: {problem}" for problem in progress.problems]
    at_work = processes_at_work(progress.runs)
    lines += [f"process {number} on {host}: {'; '.join(what)}" for (number, host), what in sorted(at_work.items())]
    every = [fold for run in progress.runs for fold in run.folds]
    counts = ", ".join(f"{n} {state}" for state, n in _counts(every).items() if n or state == DONE)
    lines.append(f"{counted(len(every), 'fold')} of {counted(len(progress.runs), 'run')}: {counts}")
    unknown = sum(not run.folds for run in progress.runs)
    if unknown:
        lines.append(f"{counted(unknown, 'planned run')} more, of a data set that no run is there of to tell its folds")
    rest = total(one for folds in left.values() for one in folds.values())
    if rest.n_folds:
        lines.append(f"time left: {_sentence(rest, len(at_work))}")
    return "\n".join(lines) + "\n"


def _row(run: RunProgress, left: Mapping[int, Left]) -> list[str]:
    done = [fold.fold for fold in run.folds if fold.state == DONE]
    paces = [pace(fold.seconds) for fold in run.folds if fold.seconds]
    rest = total(left.values())
    words = [f"at most {duration(rest.most)}"] * (rest.n_unknown_most == 0)
    words += [f"about {duration(rest.likely)}"] * (rest.n_unknown_likely == 0)
    return [
        run.name,
        f"all {len(done)}" if run.is_done else listed(done) or _NOTHING,
        _not_done(run, left) or (_NOTHING if run.folds else "missing"),
        f"{sum(paces) / len(paces):.1f}" if paces else _NOTHING,
        ", ".join(words) if words and rest.most + rest.likely else _NOTHING,
    ]


def _not_done(run: RunProgress, left: Mapping[int, Left]) -> str:
    """`2: running (epoch 12 of 200, at most 6 min left); 3 and 4: waiting`."""
    folds: dict[str, list[int]] = {}
    for fold in run.folds:
        if fold.state != DONE:
            folds.setdefault(_state(fold, run, left[fold.fold]), []).append(fold.fold)
    return "; ".join(f"{listed(numbers)}: {state}" for state, numbers in folds.items())


def _state(fold: FoldProgress, run: RunProgress, left: Left) -> str:
    details = []
    if fold.trained:
        details.append("trained, to be predicted")
    elif fold.seconds:
        details.append(f"epoch {len(fold.seconds)} of {run.epochs or '?'}")
    if fold.state == RUNNING and not fold.trained and left.most is not None:
        details.append(f"at most {duration(left.most)} left")
    return fold.state + (f" ({', '.join(details)})" if details else "")


def _failures(progress: Progress) -> list[str]:
    """Each error once, and below it what has ended with it."""
    places: dict[str, list[str]] = {}
    for run in progress.runs:
        if run.failure is not None:
            failed = [f", fold {fold.fold}" for fold in run.folds if fold.state == FAILED]
            places.setdefault(run.failure, []).append("".join([run.name, *failed]))
    for path, said in progress.failures:
        places.setdefault(said, []).append(path)
    return ["\n".join([f"failed: {said}", *(f"    {place}" for place in where)]) for said, where in places.items()]


def _sentence(rest: Total, n_processes: int) -> str:
    """`at most 5 h, about 1 h 20 min if folds end as those that are done; with 2 processes at work about 40 min`."""
    if not rest.most + rest.likely and not rest.n_unknown_most:
        return "that of predictions, since all folds are trained"
    parts = []
    if rest.n_unknown_most < rest.n_folds:
        parts.append(f"at most {duration(rest.most)}{_without(rest.n_unknown_most)}")
    if rest.n_unknown_likely < rest.n_folds:
        without = _without(rest.n_unknown_likely)
        parts.append(f"about {duration(rest.likely)} if folds end as those that are done{without}")
    if not parts:
        return "nothing is known yet, since no epoch is done"
    words = ", ".join(parts)
    if n_processes < 2:
        return words
    known = rest.likely if rest.n_unknown_likely < rest.n_folds else rest.most
    bound = "about" if rest.n_unknown_likely < rest.n_folds else "at most"
    return f"{words}; shared by the {n_processes} processes at work, {bound} {duration(known / n_processes)}"


def _without(number: int) -> str:
    have = agreeing(number, "has", "have")
    return f" (without {counted(number, 'fold')} that {have} nothing to go by)" if number else ""


def _counts(folds: list[FoldProgress]) -> dict[str, int]:
    return {state: sum(fold.state == state for fold in folds) for state in STATES}


def as_json(progress: Progress) -> dict[str, Any]:
    """The same for machines; times in seconds of one process, null where there is nothing to go by."""
    estimates = Estimates(progress.runs)
    runs = [_run_object(run, estimates.of_folds(run)) for run in progress.runs]
    rest = total(left for run in progress.runs for left in estimates.of_folds(run).values())
    return {
        "results_dir": str(progress.results_dir),
        "folds": _counts([fold for run in progress.runs for fold in run.folds]),
        "processes": len(processes_at_work(progress.runs)),
        "seconds_left": {
            "at_most": rest.most,
            "folds_unknown_at_most": rest.n_unknown_most,
            "about": rest.likely,
            "folds_unknown_about": rest.n_unknown_likely,
        },
        "runs": runs,
        "failed_logs": [{"log": path, "error": said} for path, said in progress.failures],
        "not_read": list(progress.problems),
    }


def _run_object(run: RunProgress, left: Mapping[int, Left]) -> dict[str, Any]:
    task, dataset, model = run.kind
    return {
        "run": run.name,
        "task": task or None,
        "dataset": dataset or None,
        "model": model or None,
        "epochs": run.epochs,
        "error": run.failure,
        "folds": [_fold_object(fold, left.get(fold.fold)) for fold in run.folds],
    }


def _fold_object(fold: FoldProgress, left: Left | None) -> dict[str, Any]:
    owner = fold.owner
    return {
        "fold": fold.fold,
        "state": fold.state,
        "epochs_done": len(fold.seconds),
        "trained": fold.trained,
        "seconds": round(sum(fold.seconds), 3),
        "seconds_an_epoch": pace(fold.seconds) if fold.seconds else None,
        "seconds_left_at_most": left.most if left else 0.0,
        "seconds_left_about": left.likely if left else 0.0,
        "process": None if owner is None else {"process": owner.process, "host": owner.host, "since": owner.started},
    }
