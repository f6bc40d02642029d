"""From a grid of options to runs of `main.py`: what is tried, without what makes no difference."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from models import MODELS
from utils.command.arguments import names_of
from utils.command.settings import RunSettings
from utils.errors import UserError
from utils.pipeline.model_options import model_options, takes_anchors

# Options with an effect on the results that the script sets, or that are no choice to be tuned, each with what to do.
NOT_TUNED = {
    "task": "set TASK",
    "dataset": "set DATASET",
    "seed": "the luckiest seed is no better setting; set SEED, and repeat the chosen run with others",
    "feature_norm": "it belongs to the anchors; set FEATURE_NORM and another ANCHORS_DIR",
    "on_missing": "set ON_MISSING",
    "unit": "set UNIT",
    "allow_patient_overlap": "give it behind the script's name",
    "precision": "give it behind the script's name",
}


_SWITCH = {"yes": True, "no": False}  # how the grid writes options that take no value


@dataclass(frozen=True)
class Trial:
    """One combination of the grid: {option: value as it was written}, without options that its model does not take."""

    options: Mapping[str, str]

    @property
    def words(self) -> list[str]:
        """The options on the command line of `main.py`."""
        return [word for name, value in self.options.items() for word in _words(name, value)]

    @property
    def run_name(self) -> str:
        """`tune`, then each option with its value."""
        return "_".join(["tune", *(f"{name}_{value}" for name, value in self.options.items())])


def read_grid(text: str) -> dict[str, list[str]]:
    """{option: values} of a grid: a line for each option, its name and then its values; `#` in front of remarks.

    Raises:
        UserError: for a line without a value, an option that cannot be tuned or is not one, an option or a value
            twice, or no line.
    """
    known = {*names_of(RunSettings, "results"), *model_options()} - {*NOT_TUNED}
    grid: dict[str, list[str]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        name, *values = line.split() or ["#"]
        if name.startswith("#"):
            continue
        name, where = name.removeprefix("--").removesuffix(":"), f"line {number} of the grid ('{line.strip()}')"
        if name in NOT_TUNED:
            raise UserError(f"found {name} in {where}, expected an option to tune: {NOT_TUNED[name]}")
        if name not in known:
            raise UserError(f"found {name} in {where}, expected one of {', '.join(sorted(known))}")
        if name in grid:
            raise UserError(f"found {name} twice, again in {where}, expected one line for each option")
        if not values:
            raise UserError(f"found no value in {where}, expected the option and then its values, separated by blanks")
        if _is_switch(name) and not {*values} <= {*_SWITCH}:
            raise UserError(f"found {' '.join(values)} in {where}, expected yes or no: {name} takes no value")
        twice = [value for value in values if values.count(value) > 1]
        if twice:
            raise UserError(f"found {twice[0]} twice in {where}, expected each value once")
        grid[name] = values
    if not grid:
        raise UserError("found no option in the grid, expected lines such as: lr 1e-4 2e-4 5e-4")
    return grid


def trials_of(grid: Mapping[str, Sequence[str]], *, model: str) -> list[Trial]:
    """All combinations; those that differ only in options which their model does not take are one.

    Args:
        grid: see `read_grid`.
        model: of the runs, where the grid has none.

    Raises:
        UserError: for a model that does not exist, or an option that none of the models takes.
    """
    for name in grid.get("model", [model]):
        if name not in MODELS:
            raise UserError(f"got the model {name}, expected some of {', '.join(MODELS)}")
    found: dict[tuple[tuple[str, str], ...], Trial] = {}
    for values in itertools.product(*grid.values()):
        options = dict(zip(grid, values, strict=True))
        taken = {name: value for name, value in options.items() if _takes(options.get("model", model), name)}
        found.setdefault(tuple(taken.items()), Trial(taken))
    trials = list(found.values())
    unused = [name for name in grid if not any(name in trial.options for trial in trials)]
    if unused:
        models = ", ".join(grid.get("model", [model]))
        raise UserError(f"found {unused[0]} in the grid, which {models} does not take: leave it out")
    return trials


def _is_switch(name: str) -> bool:
    own = {field.name: field.type for field in fields(RunSettings)}
    options = model_options()
    return options[name].kind is bool if name in options else own[name] == "bool"


def _words(name: str, value: str) -> list[str]:
    if not _is_switch(name):
        return [f"--{name}", value]
    if _SWITCH[value]:
        return [f"--{name}"]
    return (
        [f"--no-{name}"] if name in model_options() else []
    )  # off unless given, where the option is of main.py itself


def _takes(model: str, name: str) -> bool:
    if name == "n_clusters":
        return takes_anchors(model)
    options = model_options()
    return name not in options or model in options[name].defaults
