"""The rows of a label table with the slide and the patient that each is about."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from datasets.folds.cases import patient_of
from datasets.folds.fold_checks import first_ids
from datasets.folds.slide_ids import plain_slide_id
from datasets.make_splits.label_table import LabelTable, TableRow
from datasets.make_splits.slide_patients import PatientOf
from datasets.make_splits.vocabulary import is_missing
from utils.errors import UserError
from utils.files.phrases import counted

_SHORTENED = re.compile(r"\d(\.\d+)?E\+\d+")  # what Excel makes of a long number


class Entry(NamedTuple):
    """A slide with its patient, and the row of the table that says what is known of it."""

    patient: str
    slide_id: str
    row: TableRow


class Entries(NamedTuple):
    """The entries of a table, one per slide.

    Attributes:
        entries: of the slides that have a row.
        notes: what was found, each one sentence.
        warnings: what a user should look at, each one sentence.
        without_row: slide -> patient, of slides that a second table names and the label table has no row for.
    """

    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    without_row: Mapping[str, str] = MappingProxyType({})

    def patients(self) -> dict[str, str]:
        """Return slide -> patient, of all slides."""
        return {**self.without_row, **{entry.slide_id: entry.patient for entry in self.entries}}


def plain_id(row: TableRow, column: str) -> str:
    """Return the id in a cell: without known endings, and without the decimals that Excel gives to numbers.

    Raises:
        UserError: a cell without an id, and a number that Excel has shortened.
    """
    text = row.cells[column]
    identifier = plain_slide_id(re.sub(r"^(\d+)\.0+$", r"\1", text))
    if is_missing(identifier):
        raise UserError(f"line {row.line} of {row.path} has no id in column {column}: fill it in, or remove it")
    if _SHORTENED.fullmatch(text):
        raise row.error(column, "an id with all its digits, which Excel has shortened (format the column as text)")
    return identifier


def slide_entries(rows: Sequence[TableRow], slide_column: str, case_column: str | None, rule: PatientOf) -> Entries:
    """Return an entry for each row of a table of slides.

    The patient is `patient_of` the case id, or without such a column what `rule` finds in the slide id.

    Raises:
        UserError: a cell without an id, a slide twice, or a slide or barcode of two patients.
    """
    entries, line_of, owner = [], dict[str, int](), dict[str, str]()
    for row in rows:
        slide_id = plain_id(row, slide_column)
        if ";" in slide_id:
            raise row.error(slide_column, "one slide, without ; (which stands between slides in prediction files)")
        if slide_id in line_of:
            raise UserError(
                f"slide {slide_id} is in lines {line_of[slide_id]} and {row.line} of {row.path}: expected each slide "
                "once; remove one"
            )
        line_of[slide_id] = row.line
        patient = patient_of(plain_id(row, case_column)) if case_column else rule(slide_id)
        # As `read_fold` does: the barcode of a slide names its patient too.
        for name in (patient, patient_of(slide_id)):
            if owner.setdefault(name, patient) != patient:
                raise UserError(
                    f"slide {slide_id} (line {row.line} of {row.path}) is of case {patient}, and {name} is also a "
                    f"name of case {owner[name]}: expected each slide and barcode under one case; correct "
                    f"{case_column or '--patient_pattern'}"
                )
        entries.append(Entry(patient, slide_id, row))
    return Entries(tuple(entries), _odd_ids(rows, [slide_column, *([case_column] if case_column else [])]))


def patient_entries(
    table: LabelTable,
    rows: Sequence[TableRow],
    case_column: str,
    slides_of: Mapping[str, Sequence[str]],
    is_complete: Callable[[TableRow], bool],
) -> Entries:
    """Return an entry for each slide of each row of a table of patients; `slides_of` is patient -> slides.

    A patient may have several rows that say the same (the GDC writes one per treatment); rows that are not complete
    count only where no other is there.

    Raises:
        UserError: a cell without an id, rows of one patient that differ, or no patient with a slide.
    """
    row_of: dict[str, TableRow] = {}
    for row in rows:
        patient = patient_of(plain_id(row, case_column))
        first = row_of.setdefault(patient, row)
        if not is_complete(first):
            row_of[patient] = row
        elif is_complete(row) and _said(row, case_column) != _said(first, case_column):
            raise UserError(
                f"case {patient} is in lines {first.line} and {row.line} of {table.path}, which differ in "
                f"{_difference(first, row)}: expected one outcome per case"
            )
    spelled = {patient.casefold(): patient for patient in slides_of}
    found = {patient: spelled[patient.casefold()] for patient in row_of if patient.casefold() in spelled}
    if not found:
        raise UserError(
            f"none of the {counted(len(row_of), 'patient')} of {table.path} ({first_ids(list(row_of))}) has a slide "
            f"among {first_ids([slide for slides in slides_of.values() for slide in slides])}: expected barcodes or "
            "ids that agree; name the column of the patients with --case_column, say how to find the patient in a "
            "slide id with --patient_pattern, or give a table of slides and patients with --slides"
        )
    entries = tuple(
        Entry(name, slide_id, row_of[patient]) for patient, name in found.items() for slide_id in slides_of[name]
    )
    note = f"{counted(len(found), 'patient')} of {table.path.name} joined with {counted(len(entries), 'slide')}"
    warnings = []
    without = [patient for patient in row_of if patient not in found]
    if without:
        warnings.append(
            f"{counted(len(without), 'patient')} of {table.path.name} without a slide: {first_ids(without)}"
        )
    others = [slide for name, slides in slides_of.items() if name not in set(found.values()) for slide in slides]
    if others:
        warnings.append(f"{counted(len(others), 'slide')} without a patient in {table.path.name}: {first_ids(others)}")
    return Entries(entries, (note, *_odd_ids(rows, [case_column])), tuple(warnings))


def _said(row: TableRow, case_column: str) -> dict[str, str]:
    return {name: cell for name, cell in row.cells.items() if name != case_column}


def _difference(first: TableRow, second: TableRow) -> str:
    return " and ".join(name for name, cell in first.cells.items() if cell != second.cells[name])


def _odd_ids(rows: Sequence[TableRow], columns: Collection[str]) -> tuple[str, ...]:
    """What to say of ids such as 12.0, and of those that Excel has taken for dates."""
    notes = []
    for column in columns:
        cells = [row.cells[column] for row in rows]
        decimals = next((cell for cell in cells if re.fullmatch(r"\d+\.0+", cell)), None)
        if decimals:
            notes.append(f"numbers such as {decimals} in column {column} were read as ids without decimals")
        dates = [cell for cell in cells if re.fullmatch(r"\d{4}-\d{2}-\d{2}( .*)?", cell)]
        if dates:
            notes.append(
                f"{len(dates)} ids in column {column} are dates such as {dates[0]}: Excel makes them of ids such as 3-5"
            )
    return tuple(notes)
