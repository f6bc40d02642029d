"""The options of all models of the registry, for the command line; no model is imported for it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from models import MODELS, options_of
from utils.command.arguments import resolve
from utils.command.limits import Limits
from utils.command.model_options import SharedOption, resolve_model_options
from utils.command.settings import RunSettings
from utils.runs.tasks import TASKS

N_ANCHORS = "n_anchors"  # on the command line `--n_clusters`, as in run_clustering.py: a setting of the whole run


def model_options() -> dict[str, SharedOption]:
    """{name: option} of all models, in the order of the registry.

    Raises:
        TypeError: if two models give an option of one name different types or choices, or a model has an option that
            `main.py` has for itself.
    """
    own = {field.name for field in fields(RunSettings)}
    found: dict[str, dict[str, Any]] = {}  # option -> model -> the option as its class has it
    for model in MODELS:
        for name, option in options_of(model).items():
            if name in own:
                raise TypeError(f"{MODELS[model]}: its argument {name} is an option of main.py itself: rename it")
            if name != N_ANCHORS:
                found.setdefault(name, {})[model] = option
    return {name: _shared(name, by_model) for name, by_model in found.items()}


def run_settings(arguments: argparse.Namespace) -> RunSettings:
    """The settings of `main.py` that parsed arguments stand for: its own options, and those of the chosen model.

    Raises:
        UserError: for values that are not possible, or an option of another model.
    """
    options, values = model_options(), vars(arguments)
    given = {name: values[name] for name in options if name in values}
    own = argparse.Namespace(**{name: value for name, value in values.items() if name not in options})
    chosen = resolve_model_options(options, model=own.model, task=own.task, given=given)
    own.monitor = TASKS[own.task].monitor(own.monitor)
    return resolve(RunSettings, own, model_options=chosen)


def takes_anchors(model: str) -> bool:
    """Whether a model starts from the anchors of the data set, or takes those of each slide."""
    return N_ANCHORS in options_of(model)


def _shared(name: str, by_model: Mapping[str, Any]) -> SharedOption:
    first, *others = by_model
    option = by_model[first]
    for other in others:
        if _type_of(by_model[other]) != _type_of(option):
            raise TypeError(
                f"{MODELS[first]} and {MODELS[other]} differ in the type or choices of {name}, expected the same: "
                "one option of main.py stands for both"
            )
    defaults = {model: option.default for model, option in by_model.items()}
    takers = "" if len(by_model) == len(MODELS) else f"{', '.join(by_model)}; "
    text = f"{option.help.replace('`', '')} ({takers}default: {_defaults_in_words(defaults)})"
    limits = None if option.limits is None else Limits(*option.limits)
    return SharedOption(name, option.kind, text, defaults, option.choices, option.many, limits)


def _type_of(option: Any) -> tuple[Any, ...]:
    return option.kind, option.choices, option.many


def _defaults_in_words(defaults: Mapping[str, Any]) -> str:
    """One default for all models, or each with its model."""
    words = {model: _value_in_words(value) for model, value in defaults.items()}
    if len(set(words.values())) == 1:
        return next(iter(words.values()))
    return ", ".join(f"{value} for {model}" for model, value in words.items())


def _value_in_words(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return " ".join(map(str, value)) or "none"
    return str(value)
