"""A label table as cases, read as its options say and with what they leave open found out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from datasets.make_splits.id_columns import plain_name
from datasets.make_splits.label_cases import (
    LabelledCases,
    classification_cases,
    complete_entries,
    missing_outcome,
    survival_cases,
)
from datasets.make_splits.label_options import LabelOptions, check_label_options, in_plain_text
from datasets.make_splits.label_table import LabelTable, TableRow, read_label_table
from datasets.make_splits.outcome_columns import OutcomeColumns, find_outcome_columns
from datasets.make_splits.table_entries import table_entries
from datasets.make_splits.vocabulary import is_missing, missing_words
from utils.errors import UserError
from utils.files.plain_text import plain_text
from utils.files.provenance import digest

_MOST_COLUMNS, _MOST_CLASSES = 200, 10  # what is looked through for a column that might be the class


def labelled_cases(
    options: LabelOptions,
    task: str,
    *,
    slide_ids: Collection[str] | None = None,
    known_classes: Sequence[str] | None = None,
) -> LabelledCases:
    """Return what the label table `options.labels` says of each case.

    Args:
        options: how the table is read.
        task: "cls" or "surv".
        slide_ids: those that have features. A table of patients is joined with them by barcode, by the patient that
            `patient_pattern` finds, or by equal ids. Of a table of slides they decide the spelling, and warnings count
            what has no counterpart.
        known_classes: the classes of a trained model in the order of their numbers (cls), see `classification_cases`.

    Raises:
        UserError: the options contradict each other; the table cannot be read, lacks a column, or says something that
            cannot be; nothing of it can be joined with slides.
    """
    check_label_options(options, task)
    if options.labels is None:
        raise ValueError("expected options with a label table")
    table = read_label_table(
        options.labels, separator=options.separator, encoding=options.encoding, sheet=options.sheet
    )
    return cases_of_table(table, options, task, slide_ids=slide_ids, known_classes=known_classes)


def cases_of_table(
    table: LabelTable,
    options: LabelOptions,
    task: str,
    *,
    slide_ids: Collection[str] | None = None,
    known_classes: Sequence[str] | None = None,
) -> LabelledCases:
    """Return what an opened table says of each case, as `labelled_cases` does of `options.labels`."""
    options = in_plain_text(options)
    known_classes = None if known_classes is None else tuple(map(plain_text, known_classes))
    words = missing_words(options.missing or (), (*(options.classes or ()), *(known_classes or ())))
    outcome = None if task == "cls" else _outcome_columns(options, table)
    label = _label_column(options, table) if outcome is None else ""

    def missing_in(row: TableRow) -> str | None:
        if outcome is not None:
            return missing_outcome(row, outcome, words)
        return label if is_missing(row.cells[label], words) else None

    values = outcome.columns() if outcome else (label,)
    ids, labelled = table_entries(options, table, values, missing_in, slide_ids)
    complete = complete_entries(labelled.entries, missing_in)
    if outcome is None:
        found = classification_cases(complete, label, options.classes, known_classes)
    else:
        found = survival_cases(complete, table, outcome)
    notes = (*table.notes, *labelled.notes, *(outcome.notes if outcome else ()), *found.notes, complete.note())
    columns = {"slide": ids.slide, "case": ids.case}
    record: dict[str, Any] = {"labels_sha256": table.sha256, **table.source, "columns": columns}
    if options.slides is not None:
        record |= {"slides_sha256": digest(options.slides)}
    if outcome is None:
        columns |= {"label": label}
    else:
        columns |= _recorded(outcome)
        record |= {"time_unit": outcome.unit}
    return replace(
        found,
        notes=tuple(filter(None, notes)),
        warnings=(*labelled.warnings, *found.warnings),
        record=record,
        patients=labelled.patients(),
    )


def _outcome_columns(options: LabelOptions, table: LabelTable) -> OutcomeColumns:
    return find_outcome_columns(
        table,
        time_column=options.time_column,
        event_column=options.event_column,
        censor_column=options.censor_column,
        time_unit=options.time_unit,
    )


def _recorded(outcome: OutcomeColumns) -> dict[str, str | None]:
    status = "event" if outcome.one_is_event else "censor"
    return {"time": outcome.time, "time_of_living": outcome.last_seen, status: outcome.status}


def _label_column(options: LabelOptions, table: LabelTable) -> str:
    """The column of the class: the one that is named, else `label` in any letter case."""
    if options.label_column is not None:
        table.require([options.label_column], "correct --label_column")
        return options.label_column
    columns = [name for name in table.header if plain_name(name) == "label"]
    if columns:
        return columns[0]
    named = [name for name in table.header if name and table.header.count(name) == 1]
    might = []
    if len(named) <= _MOST_COLUMNS:
        rows = table.rows(named)
        values = {name: {row.cells[name] for row in rows if not is_missing(row.cells[name])} for name in named}
        might = [name for name in named if 2 <= len(values[name]) <= min(_MOST_CLASSES, len(rows) // 2)]
    found = (
        f"columns of 2 to {_MOST_CLASSES} different values: {', '.join(might)}" if might else f"found {table.found()}"
    )
    raise UserError(f"{table.path} has no column called label ({found}): name the class with --label_column")
