"""The options that say how a label table is read, for each command that reads one."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from datasets.make_splits.outcome_columns import TIME_UNITS
from utils.command.arguments import option
from utils.command.checks import check_choices, in_words
from utils.errors import UserError
from utils.files.plain_text import plain_text

# The options that belong to one task.
OF_TASK = {
    "cls": ("label_column", "classes"),
    "surv": ("time_column", "event_column", "censor_column", "time_unit"),
}
_COLUMNS = ("label_column", "time_column", "event_column", "censor_column", "case_column", "slide_column")
_READ_IN_TABLES = (*_COLUMNS, "classes", "missing")


@dataclass(frozen=True, kw_only=True)
class LabelOptions:
    """How a label table is read. What is None is found out, and said."""

    labels: Path | None = option(
        None, "the label table: .csv, .tsv, .txt or .xlsx, by itself or in a .zip or .gz", role="place"
    )
    label_column: str | None = option(None, "cls: the column of the class; default: label")
    classes: tuple[str, ...] | None = option(
        None, "cls: the classes 0, 1, ... in this order; default: sorted", role="results"
    )
    time_column: str | None = option(
        None, "surv: the column of survival or follow-up time; default: found by its name, such as survival_months"
    )
    event_column: str | None = option(
        None, "surv: the status, where 1 = death observed, 0 = censored; default: found by its name, such as OS_STATUS"
    )
    censor_column: str | None = option(
        None, "surv: the status, where 1 = censored, 0 = death observed; default: found by its name, such as censorship"
    )
    time_unit: str | None = option(
        None,
        "surv: unit of the times; days are divided by 30.4375; default: as the name of the column says",
        choices=tuple(TIME_UNITS),
    )
    case_column: str | None = option(
        None, "the column of the patient; default: found by its name, such as case_id or PATIENT_ID"
    )
    slide_column: str | None = option(
        None, "the column of the slide; default: found by its name, such as slide_id or filename"
    )
    slides: Path | None = option(
        None, "a table of slides and their patients, where the label table has patients only", role="place"
    )
    patient_pattern: str | None = option(
        None, "regular expression that finds the patient in a slide id: its first group, or all that it matches"
    )
    missing: tuple[str, ...] | None = option(
        None, "more words that mean that a value is missing, beside NA, [Not Available], '-- and the like"
    )
    separator: str | None = option(
        None, "what separates the columns of the label table: comma, semicolon, tab, or a character; default: found out"
    )
    encoding: str | None = option(None, "encoding of the label table, such as utf-8 or cp1252; default: found out")
    sheet: str | None = option(None, "the sheet of a workbook; default: the first")


Options = TypeVar("Options", bound=LabelOptions)


def in_plain_text(options: Options) -> Options:
    """Return the options with columns, classes and words in the spelling that the cells of tables are read in."""
    given = {name: getattr(options, name) for name in _READ_IN_TABLES}
    plain: dict[str, Any] = {
        name: plain_text(value) if isinstance(value, str) else tuple(map(plain_text, value))
        for name, value in given.items()
        if value is not None
    }
    return replace(options, **plain)


def check_label_options(options: LabelOptions, task: str, *, needs_table: bool = True) -> None:
    """Validate what can be said before the table is read; without `needs_table` the labels may stand elsewhere.

    Raises:
        UserError: an option of the other task, two options that exclude each other, or one without a label table.
    """
    given = [field.name for field in fields(LabelOptions) if getattr(options, field.name) is not None]
    given = [name for name in given if name != "patient_pattern"]  # which finds patients without a table too
    if needs_table and options.labels is None and given:
        raise UserError(f"got {in_words(given)} without --labels: expected the label table with them")
    other = "surv" if task == "cls" else "cls"
    for name in OF_TASK[other]:
        if getattr(options, name) is not None:
            raise UserError(f"--{name} belongs to --task {other}, and --task is {task}: leave one out")
    if options.event_column and options.censor_column:
        raise UserError(
            "both of --event_column (1 = death observed) and --censor_column (1 = censored) given: expected one"
        )
    if options.patient_pattern is not None and options.case_column and options.slides is None:
        raise UserError("--case_column and --patient_pattern both name the patient: expected one of them")
    check_choices(options)
