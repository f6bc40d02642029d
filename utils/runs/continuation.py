"""How a run goes on: what must be as it was when it began, and what its record says afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from utils.command.arguments import names_of
from utils.command.settings import RunSettings
from utils.errors import UserError
from utils.runs.protocol import defaults_of_then, has_ties, options_before

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


def check_unchanged(
    run_dir: Path, old: dict[str, Any], new: dict[str, Any], *, trains: bool, may_raise_epochs: bool = True
) -> None:
    """Check that a run goes on as it was begun; what decides the training alone is compared where folds are trained.

    Raises:
        ChangedSettingsError: with what differs; the number of epochs may be raised where folds are trained, unless
            folds of the run stay as they are.
    """
    raised = trains and may_raise_epochs and raised_from(old, new) is not None
    changed, earlier = _changes(old, new, may_differ=("epochs",) if raised else ()), list[str]()
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


def raised_from(old: dict[str, Any], new: dict[str, Any]) -> int | None:
    """The maximum number of epochs of before, where it is larger now; else None."""
    before, now = (record["settings"].get("epochs") for record in (old, new))
    return before if before is not None and now is not None and now > before else None


def _changes(old: dict[str, Any], new: dict[str, Any], *, may_differ: Iterable[str]) -> list[str]:
    """What differs, in words, of all that the numbers depend on, except for what decides the training alone."""
    free = {*FREE, *options_before(new["task"]), *may_differ}
    before = {**defaults_of_then(new), **old["settings"]}
    changed = _different(before, new["settings"], (name for name in new["settings"] if name not in free))
    changed += _different(old, new, (name for name in INPUTS if name in old))
    for name in COMPARED:
        both = old[name].keys() & new[name].keys()
        changed += [f"the {name} of {key} changed" for key in sorted(both) if old[name][key] != new[name][key]]
    return changed


def _changed_options_of_training(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    names = [name for name in options_before(new["task"]) if name != "tie_rule" or has_ties(new["settings"])]
    return _different(old["settings"], new["settings"], names)


def _different(old: dict[str, Any], new: dict[str, Any], names: Iterable[str]) -> list[str]:
    return [f"{name} was {old.get(name)} and is {new.get(name)}" for name in names if old.get(name) != new.get(name)]


def _by_fold(values: dict[str, Any]) -> dict[str, Any]:
    """In the order of the folds that the names end in, whichever process or call was first: `fold2`, `fold10.csv`."""
    return dict(sorted(values.items(), key=lambda item: [int(number) for number in re.findall(r"\d+", item[0])]))


# What earlier versions did not record, and a call that goes on can tell.
_LATER = ("class_names", "anchor_scope", "feature_facts", "threads")


def merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The record of a run that goes on, perhaps with other folds; `resumed` says how and with which code it went on.

    A larger maximum number of epochs becomes that of the run; the call that raised it says from where.
    """
    call = {name: new.get(name) for name in ("started", "folds", "settings", "versions", "git")}
    call["threads"] = new["settings"].get("threads") or old.get("threads") or new.get("threads")
    before, settings = raised_from(old, new), old["settings"]
    if before is not None:
        call["epochs_raised_from"] = before
        settings = {**settings, "epochs": new["settings"]["epochs"]}
    return {
        **old,
        "settings": settings,
        **{name: _by_fold(old[name] | new[name]) for name in COMPARED},
        "cohort": _by_fold(old.get("cohort", {}) | new.get("cohort", {})),
        "folds": sorted({*old["folds"], *new["folds"]}),
        "folds_of_splits": new.get("folds_of_splits", old.get("folds_of_splits")),
        **{name: old[name] if old.get(name) else new.get(name) for name in _LATER},
        "warnings": list(dict.fromkeys([*old["warnings"], *new["warnings"]])),
        "resumed": [*old.get("resumed", []), call],
    }
