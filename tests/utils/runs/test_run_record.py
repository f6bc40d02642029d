from __future__ import annotations

import json
from pathlib import Path

import pytest

from utils.errors import UserError
from utils.runs.run_record import folds_left_out, read_run, unit_of


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read"),
        ("{", "is no JSON text"),
        ("[1]", "holds list, expected a JSON object"),
        ('{"task": "cls"}', "dataset is None, expected a text"),
        ('{"task": "x", "dataset": "D", "model": "m", "formulation": "f"}', "task is 'x', expected one of cls, surv"),
        (
            '{"task": "cls", "dataset": "D", "model": "m", "formulation": "f", "seed": "a"}',
            "seed is 'a', expected an integer, 0 or more",
        ),
        (
            '{"task": "cls", "dataset": "D", "model": "m", "formulation": "f", "folds": ["0"]}',
            r"folds is \['0'\], expected a list of integers",
        ),
        (
            '{"task": "cls", "dataset": "D", "model": "m", "formulation": "f", "settings": []}',
            r"settings is \[\], expected an object",
        ),
    ],
)
def test_a_damaged_run_json_is_refused(tmp_path: Path, text: str | None, message: str):
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    with pytest.raises(UserError, match=message) as raised:
        read_run(tmp_path)
    assert str(tmp_path / "run.json") in str(raised.value)


def test_what_is_not_given_is_filled_in_and_the_rest_is_kept(tmp_path: Path):
    record = {"task": "surv", "dataset": "D", "model": "m", "formulation": "paper", "seed": None, "dim_in": 768}
    (tmp_path / "run.json").write_text(json.dumps(record))
    filled = {"seed": 2024, "folds": [], "splits": {}, "warnings": [], "settings": {}}
    assert read_run(tmp_path) == record | filled


@pytest.mark.parametrize(
    ("folds", "of_splits", "said"),
    [
        ([0, 1, 2], [0, 1, 2], ""),
        ([0, 2], [0, 1, 2, 3, 4], "2 of 5 folds of the splits were run: 0 and 2"),
        ([0, 1], None, ""),  # a record of before
    ],
)
def test_a_run_of_some_folds_says_so(folds: list[int], of_splits: list[int] | None, said: str):
    assert folds_left_out({"folds": folds, "folds_of_splits": of_splits}) == said


@pytest.mark.parametrize(
    ("task", "settings", "unit"),
    [
        ("cls", {"unit": "patient"}, "patient"),
        ("cls", {"unit": "slide"}, "slide"),
        ("cls", {}, "slide"),  # a record of before
        ("surv", {"unit": "slide"}, "case"),  # the default, which says nothing of survival
        ("surv", {}, "case"),
    ],
)
def test_what_one_prediction_is_about(task: str, settings: dict[str, str], unit: str):
    assert unit_of({"task": task, "settings": settings}) == unit


@pytest.mark.parametrize(("name", "value"), [("protocol", ["x"]), ("folds_of_splits", {"0": 1})])
def test_what_only_newer_records_have_is_checked_too(tmp_path: Path, name: str, value: object):
    record = {"task": "cls", "dataset": "D", "model": "mico", "formulation": "released", name: value}
    (tmp_path / "run.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match=f"{name} is .*, expected (an object|a list)"):
        read_run(tmp_path)
