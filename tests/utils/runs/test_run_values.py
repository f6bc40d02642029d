"""Every value of `run.json` that is known, of a wrong type or out of range."""

from __future__ import annotations

import dataclasses
import json
import typing
from pathlib import Path
from typing import Any

import pytest

from utils.command.settings import RunSettings
from utils.errors import UserError
from utils.runs.run_record import read_run
from utils.runs.run_values import _KNOWN, wrong_value

RUN: dict[str, Any] = {"task": "cls", "dataset": "D", "model": "mico", "formulation": "released", "settings": {}}
OPTIONS = {field.name: field for field in dataclasses.fields(RunSettings) if field.metadata}


def with_setting(name: str, value: Any) -> dict[str, Any]:
    return RUN | {"settings": {name: value}}


def test_what_main_writes_by_default_is_right():
    defaults = {name: field.default for name, field in OPTIONS.items() if field.default is not dataclasses.MISSING}
    plain = {name: str(value) if isinstance(value, Path) else value for name, value in defaults.items()}
    assert wrong_value(RUN | {"settings": plain}) is None


@pytest.mark.parametrize("name", _KNOWN)
@pytest.mark.parametrize("value", [1.5, True, [[1]], {"a": 1} | {"b": [None]}], ids=repr)
def test_a_known_value_of_another_type_is_refused(name: str, value: Any, tmp_path: Path):
    objects = {"settings", "model_defaults", "feature_facts", "versions", "git"}
    if name in objects and isinstance(value, dict):
        return  # these hold anything
    (tmp_path / "run.json").write_text(json.dumps(RUN | {name: value}))
    with pytest.raises(UserError, match=rf"run\.json: {name} is .*, expected "):
        read_run(tmp_path)


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("value", [{}, [{}], 10**400], ids=["object", "list", "huge"])
def test_a_setting_of_an_impossible_value_is_refused(name: str, value: Any):
    assert str(wrong_value(with_setting(name, value))).startswith(f"settings.{name} is ")


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", '"0.1"', "true", "null"])
def test_a_learning_rate_that_is_no_number_is_refused(text: str, tmp_path: Path):
    (tmp_path / "run.json").write_text(json.dumps(RUN)[:-1] + f', "settings": {{"lr": {text}}}}}')
    with pytest.raises(UserError, match=r"settings\.lr is .*, expected a finite number"):
        read_run(tmp_path)


@pytest.mark.parametrize("value", [0, -1, 1.0, "7", None, True])
def test_epochs_are_counted_from_one(value: Any):
    assert wrong_value(with_setting("epochs", value)) == f"settings.epochs is {value!r}, expected an integer, 1 or more"


def test_the_options_of_models_and_unknown_names_are_not_looked_at():
    assert wrong_value(with_setting("an_option_of_later", {"any": [1]}) | {"unknown": 7}) is None


def test_every_type_of_an_option_has_a_check():
    hints = typing.get_type_hints(RunSettings)
    assert {hints[name] for name in OPTIONS} >= {int, float, bool, str, Path}
    for name in OPTIONS:
        assert wrong_value(with_setting(name, object())) is not None, name
