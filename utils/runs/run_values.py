"""What the values of `run.json` must be, so that whoever reads it need not ask: types, ranges, and the options' own."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from utils.command.settings import RunSettings
from utils.runs.tasks import TASKS

_SHOWN = 60  # letters of a wrong value in a message
_POSITIVE = ("epochs", "patience", "batch_size", "grad_accum", "n_clusters")  # of the settings


def wrong_value(run: Mapping[str, Any]) -> str | None:
    """The first value that is not as `main.py` writes it, in words: what was found, and what was expected."""
    for name, value, good, expected in _checks(run):
        if not good(value):
            shown = repr(value)
            return f"{name} is {shown if len(shown) <= _SHOWN else shown[:_SHOWN] + '…'}, expected {expected}"
    return None


Check = tuple[str, Any, Callable[[Any], bool], str]


def _checks(run: Mapping[str, Any]) -> Iterator[Check]:
    for name in REQUIRED:
        yield name, run.get(name), _is_text, "a text"
    yield "task", run["task"], lambda value: value in TASKS, f"one of {', '.join(TASKS)}"
    for name, (good, expected) in _KNOWN.items():
        if run.get(name) is not None:
            yield name, run[name], good, expected
    known = _settings()
    for name, value in run["settings"].items():  # an object, as was just checked
        if name in known:
            yield f"settings.{name}", value, *known[name]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _is_number(value: Any) -> bool:
    # An integer of a thousand digits is JSON, and no number that can be computed with.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300 and value == value


def _is_list_of(good: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(good, value))


def _is_dict_of(good: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(map(good, value.values()))


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)


def _is_call(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("settings", {}), dict)


REQUIRED = ("task", "dataset", "model", "formulation")
_TEXTS, _OBJECT = (_is_dict_of(_is_text), "an object of texts"), (_is_dict, "an object")
_KNOWN: dict[str, tuple[Callable[[Any], bool], str]] = {
    "seed": (_is_whole, "an integer, 0 or more"),
    "folds": (_is_list_of(_is_whole), "a list of integers, 0 or more"),
    "folds_of_splits": (_is_list_of(_is_whole), "a list of integers, 0 or more"),
    "dim_in": (lambda value: _is_whole(value) and value > 0, "an integer, 1 or more"),
    "threads": (lambda value: _is_whole(value) and value > 0, "an integer, 1 or more"),
    "n_outputs": (lambda value: _is_whole(value) and value > 0, "an integer, 1 or more"),
    "class_names": (_is_list_of(_is_text), "a list of texts"),
    "warnings": (_is_list_of(_is_text), "a list of texts"),
    "splits": _TEXTS,
    "anchors": _TEXTS,
    "features": _TEXTS,
    "protocol": _TEXTS,
    "cohort": (_is_dict_of(_is_dict), "an object of objects"),
    "settings": _OBJECT,
    "model_defaults": _OBJECT,
    "feature_facts": _OBJECT,
    "versions": _OBJECT,
    "git": _OBJECT,
    "resumed": (_is_list_of(_is_call), "a list of calls"),
    "started": (_is_text, "a text"),
    "run_name": (_is_text, "a text"),
    "feature_norm": (_is_text, "a text"),
    "anchor_scope": (_is_text, "a text"),
}


@cache
def _settings() -> dict[str, tuple[Callable[[Any], bool], str]]:
    """{option of main.py: what it may be in run.json}, by the types of its settings."""
    hints = typing.get_type_hints(RunSettings)
    found = {field.name: _rule(hints[field.name]) for field in dataclasses.fields(RunSettings) if field.metadata}
    for name in _POSITIVE:
        found[name] = (lambda value: _is_whole(value) and value > 0), "an integer, 1 or more"
    return found


def _rule(hint: Any) -> tuple[Callable[[Any], bool], str]:
    """The check of a value of this type as JSON has it."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        good, expected = _rule(next(item for item in typing.get_args(hint) if item is not types.NoneType))
        return (lambda value: value is None or good(value)), f"{expected}, or null"
    if typing.get_origin(hint) is tuple:
        good, expected = _rule(typing.get_args(hint)[0])
        return _is_list_of(good), f"a list, each {expected}"
    if hint is bool:
        return (lambda value: isinstance(value, bool)), "true or false"
    if hint is int:
        return _is_whole, "an integer, 0 or more"
    if hint is float:
        return (lambda value: _is_number(value) and math.isfinite(value)), "a finite number"
    if hint in (str, Path):
        return _is_text, "a text"
    raise TypeError(f"an option of main.py has the type {hint}, for which there is no check")
