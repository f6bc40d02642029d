"""The command line of `main.py` that goes on with a run, from its `run.json`."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from utils.command.arguments import REQUIRED, names_of
from utils.command.settings import RunSettings

PYTHON = ".venv/bin/python"
# Of the options without effect on the numbers, those that say how this machine computes.
_OF_THE_MACHINE = ("device", "num_workers", "cache", "cache_gb")


def command_of(run: Mapping[str, Any], *, run_name: str, stage: str) -> str:
    """The command for another stage of a run, for a shell.

    Options at their default are left out; paths are as they were given, so that the command belongs to the folder in
    which the run was begun.

    Args:
        run: `run.json`, as `utils.runs.run_record.read_run` gives it.
        run_name: the name of its folder.
        stage: `train`, `test` or `explain`.
    """
    words = [PYTHON, "main.py"]
    for name, value in _options(run).items():
        words += _words(name, value)
    return shlex.join([*words, "--run_name", run_name, "--stage", stage])


def _options(run: Mapping[str, Any]) -> dict[str, Any]:
    """{option: value} of all that is not at its default."""
    settings = run["settings"]
    own = {field.name: field.default for field in dataclasses.fields(RunSettings)}
    kept = (*names_of(RunSettings, "results", "place"), *_OF_THE_MACHINE)
    options = {name: settings[name] for name in kept if name in settings and settings[name] != _recorded(own[name])}
    defaults = run.get("model_defaults", {})
    options |= {name: settings[name] for name in defaults if settings.get(name) != defaults[name]}
    if set(run["folds"]) != set(run.get("folds_of_splits", run["folds"])):
        options["folds"] = run["folds"]
    required = [name for name, default in own.items() if default is REQUIRED and name in options]
    options.pop("run_name", None)
    return {name: options[name] for name in [*required, *options]}


def _recorded(default: Any) -> Any:
    """A default as `run.json` has it."""
    return str(default) if isinstance(default, Path) else default


def _words(name: str, value: Any) -> Iterator[str]:
    """The words of one option."""
    if isinstance(value, bool):
        yield f"--{name}" if value else f"--no-{name}"
    elif value is not None:
        yield f"--{name}"
        yield from map(str, value) if isinstance(value, (list, tuple)) else (str(value),)
