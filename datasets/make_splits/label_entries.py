"""The rows of a label table with the slide and the patient that each is about."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from datasets.folds.cases import patient_of
from datasets.make_splits.label_table import TableRow
from datasets.make_splits.plain_ids import decimals_note, id_in_cell
from datasets.make_splits.slide_patients import PatientOf
from datasets.make_splits.vocabulary import is_missing
from datasets.slides.id_checks import CASE, SLIDE, why_no_case, why_no_slide
from utils.errors import UserError
from utils.files.phrases import agreeing, counted, listed

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
    """Return the id in a cell, see `id_in_cell`.

    Raises:
        UserError: a cell without an id, and a number that Excel has shortened.
    """
    text = row.cells[column]
    identifier = id_in_cell(text)
    if is_missing(identifier):
        raise UserError(f"line {row.line} of {row.path} has no id in column {column}: fill it in, or remove it")
    if _SHORTENED.fullmatch(text):
        raise row.error(column, "an id with all its digits, which Excel has shortened (format the column as text)")
    return identifier


def slide_in(row: TableRow, column: str) -> str:
    """Return the slide id in a cell, see `plain_id`; UserError for a text that can be none."""
    return _id_in(row, column, why_no_slide, SLIDE)


def case_in(row: TableRow, column: str) -> str:
    """Return the case id in a cell, see `plain_id`; UserError for a text that can be none."""
    return _id_in(row, column, why_no_case, CASE)


def _id_in(row: TableRow, column: str, why_none: Callable[[str], str | None], expected: str) -> str:
    identifier = plain_id(row, column)
    why = why_none(identifier)
    if why is not None:
        raise row.error(column, expected.format(why))
    return identifier


def slide_entries(rows: Sequence[TableRow], slide_column: str, case_column: str | None, rule: PatientOf) -> Entries:
    """Return an entry for each row of a table of slides.

    The patient is `patient_of` the case id, or without such a column what `rule` finds in the slide id; one that is
    written in upper and lower case is one patient, under the first spelling.

    Raises:
        UserError: a cell without an id, a slide twice, or a slide or barcode of two patients.
    """
    entries, line_of, owner = [], dict[str, int](), dict[str, str]()
    written, spelled = list[str](), dict[str, str]()  # patients as the table has them, and the first way of each
    for row in rows:
        slide_id = slide_in(row, slide_column)
        if slide_id in line_of:
            raise UserError(
                f"slide {slide_id} is in lines {line_of[slide_id]} and {row.line} of {row.path}: expected each slide "
                "once; remove one"
            )
        line_of[slide_id] = row.line
        written.append(patient_of(case_in(row, case_column)) if case_column else rule(slide_id))
        patient = spelled.setdefault(written[-1].casefold(), written[-1])
        # As `read_fold` does: the barcode of a slide names its patient too.
        for name in (patient, patient_of(slide_id)):
            if owner.setdefault(name, patient) != patient:
                raise UserError(
                    f"slide {slide_id} (line {row.line} of {row.path}) is of case {patient}, and {name} is also a "
                    f"name of case {owner[name]}: expected each slide and barcode under one case; correct "
                    f"{case_column or '--patient_pattern'}"
                )
        entries.append(Entry(patient, slide_id, row))
    odd = odd_ids(rows, [slide_column, *([case_column] if case_column else [])])
    return Entries(tuple(entries), (*odd, *spellings_note(written)))


def spellings_note(names: Iterable[str]) -> tuple[str, ...]:
    """Return what to say where one patient is written in several ways: a sentence, or nothing."""
    spelled: dict[str, dict[str, None]] = {}
    for name in names:
        spelled.setdefault(name.casefold(), {})[name] = None
    several = [list(found) for found in spelled.values() if len(found) > 1]
    if not several:
        return ()
    patients = f"{counted(len(several), 'patient')} {agreeing(len(several), 'is', 'are')}"
    return (f"{patients} written in several ways, such as {listed(several[0])}: letter case is ignored",)


def odd_ids(rows: Sequence[TableRow], columns: Collection[str]) -> tuple[str, ...]:
    """Return what to say of ids such as 12.0, and of those that Excel has taken for dates, each one sentence."""
    notes = list[str]()
    for column in columns:
        cells = [row.cells[column] for row in rows]
        notes += decimals_note(cells, f"column {column}")
        dates = [cell for cell in cells if re.fullmatch(r"\d{4}-\d{2}-\d{2}( .*)?", cell)]
        if dates:
            are = agreeing(len(dates), "is a date,", "are dates such as")
            notes.append(
                f"{counted(len(dates), 'id')} in column {column} {are} {dates[0]}: Excel makes them of ids such as 3-5"
            )
    return tuple(notes)
