from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from datasets.make_splits.label_options import OF_TASK, LabelOptions, check_label_options, in_plain_text
from utils.command.arguments import build_parser, resolve
from utils.errors import UserError


def test_every_option_may_be_left_out_and_given():
    parser = build_parser(LabelOptions, "test", "")
    assert resolve(LabelOptions, parser.parse_args([])) == LabelOptions()
    assert all(getattr(LabelOptions(), field.name) is None for field in fields(LabelOptions))
    given = ["--labels", "t.csv", "--classes", "B", "A", "--missing", "x", "--time_unit", "days", "--separator", ";"]
    assert resolve(LabelOptions, parser.parse_args(given)) == LabelOptions(
        labels=Path("t.csv"), classes=("B", "A"), missing=("x",), time_unit="days", separator=";"
    )
    assert "(default: None)" not in parser.format_help()


def test_what_is_compared_with_cells_is_plain_text():
    given = LabelOptions(label_column="Gro\u0308sse", classes=("a  b",), missing=("\u00a0x",), separator="\t")
    assert in_plain_text(given) == LabelOptions(label_column="Grösse", classes=("a b",), missing=("x",), separator="\t")


def test_options_of_a_task_exist():
    assert {name for names in OF_TASK.values() for name in names} < {field.name for field in fields(LabelOptions)}


@pytest.mark.parametrize(
    ("task", "given", "message"),
    [
        ("surv", {"label_column": "y"}, "--label_column belongs to --task cls, and --task is surv: leave one out"),
        ("surv", {"classes": ("A", "B")}, "--classes belongs to --task cls"),
        ("cls", {"event_column": "e"}, "--event_column belongs to --task surv, and --task is cls"),
        ("cls", {"time_unit": "days"}, "--time_unit belongs to --task surv"),
        ("surv", {"event_column": "e", "censor_column": "c"}, "both of --event_column .* given: expected one"),
        (
            "cls",
            {"case_column": "c", "patient_pattern": "x"},
            "--case_column and --patient_pattern both name the patient",
        ),
        ("surv", {"time_unit": "weeks"}, "got --time_unit weeks, expected one of days, months"),
        (
            "cls",
            {"labels": None, "label_column": "y", "missing": ("x",)},
            "got --label_column, --missing without --labels",
        ),
    ],
)
def test_options_that_do_not_go_together(task: str, given: dict[str, Any], message: str):
    with pytest.raises(UserError, match=message):
        check_label_options(LabelOptions(**{"labels": Path("t.csv"), **given}), task)


def test_options_that_do():
    check_label_options(LabelOptions(), "cls")
    check_label_options(LabelOptions(patient_pattern="^P"), "cls")
    check_label_options(LabelOptions(labels=Path("t"), slides=Path("s"), case_column="c", patient_pattern="x"), "surv")
