"""Who may write to the folder of a run, and `run.json`, which says how every number in it came about."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from utils.errors import UserError, advice, said
from utils.files.atomic import write_json
from utils.files.format_version import versioned
from utils.files.locks import HeldError, check_free, locked_in_turn
from utils.files.phrases import listed, numbered
from utils.runs.continuation import COMPARED, ChangedSettingsError, check_unchanged, merge
from utils.runs.fold_state import TrainingState, remove_predictions, training_state
from utils.runs.predict_dir import is_cohort
from utils.runs.protocol import completed
from utils.runs.run_dir import RECORD, describe_results, fold_dir, remove_results, remove_tables, result_folds
from utils.runs.run_record import REPAIR, read_run

logger = logging.getLogger(__name__)


def permit(run_dir: Path, record: dict[str, Any], *, stage: str, resume: bool, overwrite: bool) -> dict[str, Any]:
    """The record that a run would write to the folder, or a refusal; nothing is changed.

    Results that are there are kept only with `resume`, or for the test stage of what was trained; both need the same
    settings, splits and anchors as before, but for `epochs`, which may be raised where folds are trained. `overwrite`
    removes the folds that the run is of; others stay, and then need the same settings. In the test stage, which needs
    the checkpoints, it allows for predicting the test cases again. The stage `explain` needs tested folds and keeps
    them.

    Raises:
        ChangedSettingsError: for results of other settings that were to be kept.
        UserError: for a folder that cannot be looked at, or holds results which the call does not allow for.
    """
    try:
        there, kept = describe_results(run_dir), _folds_that_stay(run_dir, record["folds"])
    except OSError as error:
        raise _unusable(run_dir, error) from error
    if stage == "explain":
        _check_tested(run_dir, record["folds"])
    elif stage == "test":
        _check_test_stage(run_dir, record["folds"], again=resume or overwrite)
    elif not there or (overwrite and not kept):
        return versioned(record)
    elif overwrite:
        return _beside(kept, run_dir, record)
    elif not resume:
        raise UserError(
            f"{run_dir} already holds {there}: pass --resume to go on with it, --overwrite to remove it, or another "
            "--run_name"
        )
    old = _read_own(run_dir)
    check_unchanged(run_dir, old, record, trains=stage in ("all", "train"))
    return versioned(merge(old, record))


def claim(run_dir: Path, record: dict[str, Any], *, stage: str, resume: bool, overwrite: bool) -> None:
    """Make the folder ready for a run and write its `run.json`, or refuse, as `permit` does.

    The caller holds the locks of its folds; other processes may work on other folds of the run at the same time, so
    that `run.json` is read and written under a lock of its own. Of a fold that is to be trained further than it was,
    the predictions of before are removed, with what was made from them: its checkpoint will be another one.

    Raises:
        UserError: as `permit` does, and for a folder that cannot be written.
    """
    with locked_in_turn(run_dir / RECORD):
        merged = permit(run_dir, record, stage=stage, resume=resume, overwrite=overwrite)
        try:
            if stage in ("all", "train"):
                if overwrite:
                    remove_results(run_dir, record["folds"])
                    _say_what_is_of_earlier_models(run_dir)
                elif resume:
                    _go_on(run_dir, record, raised_from=merged.get("resumed", [{}])[-1].get("epochs_raised_from"))
            write_json(run_dir / RECORD, merged)
        except OSError as error:
            raise _unusable(run_dir, error) from error


def _go_on(run_dir: Path, record: dict[str, Any], *, raised_from: int | None) -> None:
    """Remove what was made of folds that are to be trained further, and say what more epochs than before mean."""
    states = {k: training_state(fold_dir(run_dir, k), record["settings"]) for k in record["folds"]}
    further = [k for k, state in states.items() if not state.at_end]
    removed = [k for k in further if remove_predictions(fold_dir(run_dir, k))]
    if removed:
        remove_tables(run_dir)
        _say_what_is_of_earlier_models(run_dir)
    if raised_from is None:
        return
    told = [f"going on after epoch {epoch}: {folds}" for epoch, folds in _by_epoch(states, further)]
    early = [k for k, state in states.items() if state.stopped_early]
    told += [f"stopped early after epoch {epoch}, so finished: {folds}" for epoch, folds in _by_epoch(states, early)]
    words = "; ".join(told) or "no fold was trained before"
    logger.info("--epochs was %d and is %d: %s", raised_from, record["settings"]["epochs"], words)


def _by_epoch(states: Mapping[int, TrainingState], which: Sequence[int]) -> Iterator[tuple[int | None, str]]:
    """Each epoch at which some of these folds stand, with these folds in words."""
    for epoch in dict.fromkeys(states[k].epoch for k in which):
        folds = [k for k in which if states[k].epoch == epoch]
        yield epoch, numbered("fold", folds)


def _say_what_is_of_earlier_models(run_dir: Path) -> None:
    """Predictions of other cohorts stay, and their tables say that they are of models that are no more."""
    cohorts = sorted(path.name for path in (run_dir / "predict").glob("*") if is_cohort(path))
    if cohorts:
        logger.warning(
            "warning: the predictions of %s in %s are of the models before: predict again with --overwrite",
            listed(cohorts),
            run_dir / "predict",
        )


def _folds_that_stay(run_dir: Path, folds: Sequence[int]) -> list[int]:
    """The folds beside these that have results, or that another process is working on."""
    others = set(result_folds(run_dir))
    for path in run_dir.glob(".fold*.lock"):
        match = re.fullmatch(r"\.fold(\d+)\.lock", path.name)
        if match and _is_held(fold_dir(run_dir, int(match.group(1)))):
            others.add(int(match.group(1)))
    return sorted(others - set(folds))


def _is_held(place: Path) -> bool:
    try:
        check_free([place])
    except HeldError:
        return True
    return False


def _beside(kept: Sequence[int], run_dir: Path, record: dict[str, Any]) -> dict[str, Any]:
    """The record of a run whose folds `kept` stay while the others are overwritten: they must be of one kind."""
    own, others = (numbered("fold", folds) for folds in (record["folds"], kept))
    old = _read_own(run_dir)
    try:
        check_unchanged(run_dir, old, record, trains=True, may_raise_epochs=False)
    except ChangedSettingsError as error:
        raise UserError(
            f"--overwrite of {own} would leave {others} of {run_dir}, made with other settings ({error.changed}): "
            "overwrite all of them by leaving out --folds, use the same settings, or give another --run_name"
        ) from error
    return versioned(merge(old, record))


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
    if not (run_dir / RECORD).exists():
        raise UserError(f"{run_dir} holds {describe_results(run_dir)} and no {RECORD}; {REPAIR}.")
    record = read_run(run_dir)
    lacking = [name for name in ("settings", *COMPARED, "started") if not record.get(name)]
    if lacking:
        raise UserError(f"{run_dir / RECORD}: {lacking[0]} is missing, which main.py writes; {REPAIR}.")
    return completed(record)


def _unusable(run_dir: Path, error: OSError) -> UserError:
    return UserError(f"cannot write to {run_dir} ({said(error)}): {advice(error)}")
