"""The folder of a run: who may write to it, and `run.json`, which says how every number in it came about."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from utils.command.arguments import names_of
from utils.command.settings import RunSettings
from utils.errors import UserError
from utils.files.atomic import write_json
from utils.runs.protocol import completed, has_ties, options_before
from utils.runs.run_record import read_run
from utils.runs.tasks import TASKS

# Settings that may differ between the parts of one run: they do not change its numbers. Of data at another place the
# digests are compared instead.
FREE = names_of(RunSettings, "place", "run", "explanation")
COMPARED = ("splits", "anchors", "features")
INPUTS = ("dim_in", "n_outputs", "feature_norm")  # what the features, splits and anchors make of the model


class ChangedSettingsError(UserError):
    """A run cannot go on, because it was begun with other settings; `changed` names them."""

    def __init__(self, message: str, changed: str) -> None:
        super().__init__(message)
        self.changed = changed


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


def is_finished(run_dir: Path, fold: int, task: str) -> bool:
    """Whether a fold has every file that a trained and tested fold of this task has."""
    return all((fold_dir(run_dir, fold) / name).exists() for name in TASKS[task].fold_files)


def permit(run_dir: Path, record: dict[str, Any], *, stage: str, resume: bool, overwrite: bool) -> dict[str, Any]:
    """The record that a run would write to the folder, or a refusal; nothing is changed.

    Results that are there are kept only with `resume`, or for the test stage of what was trained; both need the same
    settings, splits and anchors as before. `overwrite` removes them; in the test stage, which needs the checkpoints,
    it allows for predicting the test cases again. The stage `explain` needs tested folds and keeps them.

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
    _check_unchanged(run_dir, old, record, trains=stage in ("all", "train"))
    return _merge(old, record)


def claim(run_dir: Path, record: dict[str, Any], *, stage: str, resume: bool, overwrite: bool) -> None:
    """Make the folder ready for a run and write its `run.json`, or refuse, as `permit` does.

    Raises:
        UserError: as `permit` does, and for a folder that cannot be written.
    """
    record = permit(run_dir, record, stage=stage, resume=resume, overwrite=overwrite)
    try:
        if overwrite and stage in ("all", "train"):
            remove_results(run_dir)
        run_dir.mkdir(parents=True, exist_ok=True)
        write_json(run_dir / "run.json", record)
    except OSError as error:
        raise _unusable(run_dir, error) from error


def describe_results(run_dir: Path) -> str:
    """What a folder holds of an earlier run, in words; empty if nothing."""
    folds = sorted(_result_folds(run_dir), key=lambda path: int(path.name.removeprefix("fold")))
    states = [f"{path.name} ({'finished' if (path / 'metrics.json').exists() else 'begun'})" for path in folds]
    if not states and (run_dir / "run.json").exists():
        return "run.json"
    return ", ".join(states)


def remove_results(run_dir: Path) -> None:
    """Remove what runs write, and nothing else that may lie there."""
    for path in [*_result_folds(run_dir), run_dir / "figures"]:
        if path.is_symlink():
            path.unlink()  # a folder on another disk is not ours to empty
        elif path.is_dir():
            shutil.rmtree(path)
    for name in ("run.json", "summary.csv", "summary.json", "summary.md", "report.html"):
        (run_dir / name).unlink(missing_ok=True)


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


def _check_unchanged(run_dir: Path, old: dict[str, Any], new: dict[str, Any], *, trains: bool) -> None:
    """A run goes on as it was begun; what decides the training alone is compared where folds are trained."""
    changed, earlier = _changes(old, new), list[str]()
    if trains:
        changed += _changed_options_of_training(old, new)
        earlier = _different(old["protocol"], new["protocol"], old["protocol"].keys() & new["protocol"].keys())
    named = "; ".join([*earlier, *changed])
    if earlier:
        raise ChangedSettingsError(
            f"{run_dir} was begun by an earlier version of this code, which trained otherwise ({named}): begin it "
            "again with --on_change restart or --overwrite, or give another --run_name",
            named,
        )
    if changed:
        begin_again = ", --overwrite, --on_change restart, or another --run_name" if trains else ""
        message = f"{run_dir} was begun with other settings ({named}): use the same ones{begin_again}"
        raise ChangedSettingsError(message, named)


def _changes(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What differs, in words, of all that the numbers depend on, except for what decides the training alone."""
    free = {*FREE, *options_before(new["task"])}
    changed = _different(old["settings"], new["settings"], (name for name in new["settings"] if name not in free))
    changed += _different(old, new, INPUTS)
    for name in COMPARED:
        both = old[name].keys() & new[name].keys()
        changed += [f"the {name} of {key} changed" for key in sorted(both) if old[name][key] != new[name][key]]
    return changed


def _changed_options_of_training(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    names = [name for name in options_before(new["task"]) if name != "tie_rule" or has_ties(new["settings"])]
    return _different(old["settings"], new["settings"], names)


def _different(old: dict[str, Any], new: dict[str, Any], names: Iterable[str]) -> list[str]:
    return [f"{name} was {old.get(name)} and is {new.get(name)}" for name in names if old.get(name) != new.get(name)]


def _merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The record of a run that goes on, perhaps with other folds; `resumed` says how and with which code it went on."""
    call = {name: new.get(name) for name in ("started", "folds", "settings", "versions", "git")}
    return {
        **old,
        **{name: {**old[name], **new[name]} for name in COMPARED},
        "cohort": {**old.get("cohort", {}), **new.get("cohort", {})},
        "folds": sorted({*old["folds"], *new["folds"]}),
        "folds_of_splits": new.get("folds_of_splits", old.get("folds_of_splits")),
        "warnings": list(dict.fromkeys([*old["warnings"], *new["warnings"]])),
        "resumed": [*old.get("resumed", []), call],
    }
