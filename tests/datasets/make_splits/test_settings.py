from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from datasets.make_splits.settings import SplitSettings
from utils.errors import UserError


def settings(task: str = "surv", **changes: Any) -> SplitSettings:
    given = {"event_column": "status", "time_unit": "days"} if task == "surv" else {}
    return SplitSettings(**{"labels": Path("t.csv"), "output_dir": Path("o"), "task": task, **given, **changes})


def test_defaults_of_the_task_are_filled_in():
    assert settings("cls").columns() == ["case_id", "slide_id", "label"]
    assert settings("cls").as_options() == {
        "labels": "t.csv",
        "output_dir": "o",
        "task": "cls",
        "label_column": "label",
        "classes": None,
        "case_column": "case_id",
        "slide_column": "slide_id",
        "n_folds": 4,
        "seed": 2024,
        "site_preserving": False,
        "overwrite": False,
    }
    surv = settings(censor_column="c", event_column=None, n_bins=3)
    assert surv.columns() == ["case_id", "slide_id", "survival_months", "c"]
    options = surv.as_options()
    assert (options["n_bins"], options["time_unit"], options["event_column"]) == (3, "days", None)
    assert "label_column" not in options
    assert settings().n_bins == 4
    assert json.loads(json.dumps(settings("cls", classes=("B", "A")).as_options()))["classes"] == ["B", "A"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "both"}, "--task is 'both': expected one of cls, surv"),
        ({"censor_column": "c"}, "both of --event_column .* given: expected exactly one"),
        ({"event_column": None}, "neither of --event_column .* given: expected exactly one"),
        ({"time_unit": None}, "--time_unit is not given: expected days or months, the unit of column survival_months"),
        ({"time_unit": "weeks"}, "--time_unit is weeks"),
        ({"n_bins": 1}, "--n_bins is 1: expected 2 or more"),
        ({"n_folds": 1}, "--n_folds is 1: expected 2 or more"),
        ({"seed": -1}, "--seed is -1: expected 0 to 4294967295"),
        ({"seed": 2**32}, "--seed is 4294967296"),
        ({"label_column": "y"}, "--label_column belongs to --task cls, and --task is surv"),
        ({"classes": ("A", "B")}, "--classes belongs to --task cls"),
        ({"task": "cls", "event_column": "e"}, "--event_column belongs to --task surv, and --task is cls"),
        ({"task": "cls", "time_column": "t"}, "--time_column belongs to --task surv"),
        ({"task": "cls", "n_bins": 4}, "--n_bins belongs to --task surv"),
    ],
)
def test_impossible_settings(changes: dict[str, Any], message: str):
    with pytest.raises(UserError, match=message):
        settings(**changes)
