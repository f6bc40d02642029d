from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from datasets.make_splits.settings import SplitSettings
from utils.errors import UserError


def settings(task: str = "surv", **changes: Any) -> SplitSettings:
    return SplitSettings(**{"labels": Path("t.csv"), "output_dir": Path("o"), "task": task, **changes})


def test_defaults_of_the_task_are_filled_in():
    assert settings("cls").as_options() == {
        "labels": "t.csv",
        "output_dir": "o",
        "task": "cls",
        "features_dir": None,
        "label_column": None,
        "classes": None,
        "case_column": None,
        "slide_column": None,
        "slides": None,
        "patient_pattern": None,
        "missing": None,
        "separator": None,
        "encoding": None,
        "sheet": None,
        "n_folds": 4,
        "seed": 2024,
        "site_preserving": False,
        "overwrite": False,
    }
    options = settings(censor_column="c", n_bins=3, time_unit="days").as_options()
    assert (options["n_bins"], options["time_unit"], options["event_column"]) == (3, "days", None)
    assert "label_column" not in options
    assert (settings().n_bins, settings("cls").n_bins) == (4, None)
    given = settings("cls", classes=("B", "A"), features_dir=(Path("a"), Path("b"))).as_options()
    assert json.loads(json.dumps(given))["classes"] == ["B", "A"]
    assert given["features_dir"] == ["a", "b"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "both"}, "--task is 'both': expected one of cls, surv"),
        ({"censor_column": "c", "event_column": "e"}, "both of --event_column .* given: expected one"),
        ({"time_unit": "weeks"}, "got --time_unit weeks, expected one of days, months"),
        ({"n_bins": 1}, "--n_bins is 1: expected 2 to 1,000"),
        ({"n_folds": 1}, "--n_folds is 1: expected 2 or more"),
        ({"seed": -1}, "--seed is -1: expected 0 to 4294967295"),
        ({"seed": 2**32}, "--seed is 4294967296"),
        ({"label_column": "y"}, "--label_column belongs to --task cls, and --task is surv"),
        ({"task": "cls", "time_column": "t"}, "--time_column belongs to --task surv"),
        ({"task": "cls", "n_bins": 4}, "--n_bins belongs to --task surv"),
    ],
)
def test_impossible_settings(changes: dict[str, Any], message: str):
    with pytest.raises(UserError, match=message):
        settings(**changes)
