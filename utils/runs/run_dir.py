"""The folder of a run: who may write to it, and `run.json`, which says how every number in it came about."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from utils.errors import UserError
from utils.files.atomic import write_json
from utils.files.phrases import listed
from utils.runs.continuation import COMPARED, check_unchanged, merge
from utils.runs.fold_state import TrainingState, remove_predictions, training_state
from utils.runs.predict_dir import is_cohort
from utils.runs.protocol import completed
from utils.runs.run_record import read_run

logger = logging.getLogger(__name__)


def fold_dir(run_dir: Path, fold: int) -> Path:
    """`RUN_DIR/fold{k}`."""
    return run_dir / f"fold{fold}"


def fold_files(run_dir: Path, name: str) -> dict[int, Path]:
    """{fold: run_dir/fold{k}/name} of the folds that have this file, in numerical order."""
    found = {}
    for path in run_dir.glob(f"fold*/{name}"):
        match = re.fullmatch(r"fold(\d+)", path.parent.name)
        if match:
            found[int(match.group(1))] = path
    return dict(sorted(found.items()))


def permit(run_dir: Path, record: dict[str, Any], *, stage: str, resume: bool, overwrite: bool) -> dict[str, Any]:
    """The record that a run would write to the folder, or a refusal; nothing is changed.

    Results that are there are kept only with `resume`, or for the test stage of what was trained; both need the same
    settings, splits and anchors as before, but for `epochs`, which may be raised where folds are trained. `overwrite`
    removes them; in the test stage, which needs the checkpoints, it allows for predicting the test cases again. The
    stage `explain` needs tested folds and keeps them.

    Raises:
        ChangedSettingsError: for results of other settings that were to be kept.
        UserError: for a folder that cannot be looked at, or holds results which the call does not allow for.
    """
    try:
        there = describe_results(run_dir)
    except OSError as error:
        raise _unusable(run_dir, error) from error
    if stage == "explain":
        _check_tested(run_dir, record["folds"])
    elif stage == "test":
        _check_test_stage(run_dir, record["folds"], again=resume or overwrite)
    elif not there or overwrite:
        return record
    elif not resume:
        raise UserError(
            f"{run_dir} already holds {there}: pass --resume to go on with it, --overwrite to remove it, or another "
            "--run_name"
        )
    old = _read_own(run_dir)
    check_unchanged(run_dir, old, record, trains=stage in ("all", "train"))
    return merge(old, record)


def claim(run_dir: Path, record: dict[str, Any], *, stage: str, resume: bool, overwrite: bool) -> None:
    """Make the folder ready for a run and write its `run.json`, or refuse, as `permit` does.

    Of a fold that is to be trained further than it was, the predictions of before are removed, with what was made from
    them: its checkpoint will be another one.

    Raises:
        UserError: as `permit` does, and for a folder that cannot be written.
    """
    merged = permit(run_dir, record, stage=stage, resume=resume, overwrite=overwrite)
    try:
        if stage in ("all", "train"):
            if overwrite:
                remove_results(run_dir)
                _say_what_is_of_earlier_models(run_dir)
            elif resume:
                _go_on(run_dir, record, raised_from=merged.get("resumed", [{}])[-1].get("epochs_raised_from"))
        run_dir.mkdir(parents=True, exist_ok=True)
        write_json(run_dir / "run.json", merged)
    except OSError as error:
        raise _unusable(run_dir, error) from error


def _by_epoch(states: Mapping[int, TrainingState], which: Sequence[int]) -> Iterator[tuple[int | None, str]]:
    """Each epoch at which some of these folds stand, with these folds in words."""
    for epoch in dict.fromkeys(states[k].epoch for k in which):
        folds = [k for k in which if states[k].epoch == epoch]
        yield epoch, f"fold{'s' if len(folds) > 1 else ''} {listed(folds)}"


def describe_results(run_dir: Path) -> str:
    """What a folder holds of an earlier run, in words; empty if nothing."""
    folds = sorted(_result_folds(run_dir), key=lambda path: int(path.name.removeprefix("fold")))
    states = [f"{path.name} ({'finished' if (path / 'metrics.json').exists() else 'begun'})" for path in folds]
    if not states and (run_dir / "run.json").exists():
        return "run.json"
    return ", ".join(states)


def remove_results(run_dir: Path) -> None:
    """Remove what runs write, and nothing else that may lie there."""
    for path in _result_folds(run_dir):
        _remove_folder(path)
    _remove_tables(run_dir)
    (run_dir / "run.json").unlink(missing_ok=True)


def _remove_tables(run_dir: Path) -> None:
    """Remove what is made from the predictions of all folds."""
    for name in ("summary.csv", "summary.json", "summary.md", "report.html"):
        (run_dir / name).unlink(missing_ok=True)
    _remove_folder(run_dir / "figures")


def _remove_folder(path: Path) -> None:
    if path.is_symlink():
        path.unlink()  # a folder on another disk is not ours to empty
    elif path.is_dir():
        shutil.rmtree(path)


def _go_on(run_dir: Path, record: dict[str, Any], *, raised_from: int | None) -> None:
    """Remove what was made of folds that are to be trained further, and say what more epochs than before mean."""
    states = {k: training_state(fold_dir(run_dir, k), record["settings"]) for k in record["folds"]}
    further = [k for k, state in states.items() if not state.at_end]
    removed = [k for k in further if remove_predictions(fold_dir(run_dir, k))]
    if removed:
        _remove_tables(run_dir)
        _say_what_is_of_earlier_models(run_dir)
    if raised_from is None:
        return
    said = [f"going on after epoch {epoch}: {folds}" for epoch, folds in _by_epoch(states, further)]
    early = [k for k, state in states.items() if state.stopped_early]
    said += [f"stopped early after epoch {epoch}, so finished: {folds}" for epoch, folds in _by_epoch(states, early)]
    words = "; ".join(said) or "no fold was trained before"
    logger.info("--epochs was %d and is %d: %s", raised_from, record["settings"]["epochs"], words)


def _say_what_is_of_earlier_models(run_dir: Path) -> None:
    """Predictions of other cohorts stay, and their tables say that they are of models that are no more."""
    cohorts = sorted(path.name for path in (run_dir / "predict").glob("*") if is_cohort(path))
    if cohorts:
        logger.warning(
            "warning: the predictions of %s in %s are of the models before: predict again with --overwrite",
            listed(cohorts),
            run_dir / "predict",
        )


def _result_folds(run_dir: Path) -> list[Path]:
    return [path for path in run_dir.glob("fold*") if path.is_dir() and re.fullmatch(r"fold[0-9]+", path.name)]


def _unusable(run_dir: Path, error: OSError) -> UserError:
    return UserError(f"cannot write to {run_dir} ({error.strerror or error}): give a writable --results_dir")


def _check_test_stage(run_dir: Path, folds: list[int], *, again: bool) -> None:
    """Every fold has its checkpoint, and its test cases are opened once, unless `again`."""
    untrained = [k for k in folds if not (fold_dir(run_dir, k) / "checkpoint.pt").exists()]
    if untrained:
        raise UserError(
            f"{run_dir} holds no checkpoint of fold {', '.join(map(str, untrained))} to test: train first (--stage "
            "train or all), or give the trained --folds"
        )
    opened = [k for k in folds if (fold_dir(run_dir, k) / "predictions_test.csv").exists()]
    if opened and not again:
        raise UserError(
            f"the test cases of fold {', '.join(map(str, opened))} in {run_dir} were predicted before: pass --resume "
            "to keep these predictions, or --overwrite to make them again"
        )


def _check_tested(run_dir: Path, folds: list[int]) -> None:
    """Every fold has what an explanation starts from."""
    needed = ("checkpoint.pt", "predictions_test.csv")
    lacking = [k for k in folds if not all((fold_dir(run_dir, k) / name).exists() for name in needed)]
    if lacking:
        raise UserError(
            f"{run_dir} holds no tested fold {', '.join(map(str, lacking))} to explain: train and test it first "
            "(--stage all), or give the tested --folds"
        )


def _read_own(run_dir: Path) -> dict[str, Any]:
    """`run.json` of a run that is to go on, with all that `main.py` writes."""
    try:
        record = read_run(run_dir)
        if not all(isinstance(record.get(name), dict) for name in ("settings", *COMPARED)) or "started" not in record:
            raise UserError(f"{run_dir / 'run.json'}: lacks what main.py writes")
    except UserError as error:
        raise UserError(f"{error} Or start anew with --overwrite, or give another --run_name.") from error
    return completed(record)
