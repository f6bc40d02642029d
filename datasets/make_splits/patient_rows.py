"""The rows of a table of patients, joined with their slides, whatever the letter case of the ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from datasets.folds.cases import patient_of
from datasets.folds.fold_checks import first_ids
from datasets.make_splits.label_entries import Entries, Entry, case_in, odd_ids, plain_id, spellings_note
from datasets.make_splits.label_table import LabelTable, TableRow
from utils.errors import UserError
from utils.files.phrases import counted

IsComplete = Callable[[TableRow], bool]


class _Patient(NamedTuple):
    """A patient of the table: the id as its first row has it, and the row that counts."""

    name: str
    row: TableRow


class _Slides(NamedTuple):
    """The slides of a patient, under the first spelling of the patient."""

    name: str
    slide_ids: list[str]


def patient_entries(
    table: LabelTable,
    rows: Sequence[TableRow],
    case_column: str,
    slides_of: Mapping[str, Sequence[str]],
    is_complete: IsComplete,
) -> Entries:
    """Return an entry for each slide of each row of a table of patients; `slides_of` is patient -> slides.

    Letter case aside, equal ids are one patient, who has the spelling of the slides. A patient may have several rows
    that say the same (the GDC writes one per treatment); rows that are not complete count only where no other is there.

    Raises:
        UserError: a cell without an id, rows of one patient that differ, or no patient with a slide.
    """
    patients = _patients(rows, case_column, is_complete)
    slides = _slides(slides_of)
    found = [key for key in patients if key in slides]
    if not found:
        names = [patient.name for patient in patients.values()]
        raise UserError(
            f"none of the {counted(len(names), 'patient')} of {table.path} ({first_ids(names)}) has a slide "
            f"among {first_ids([slide for slides in slides_of.values() for slide in slides])}: expected barcodes or "
            "ids that agree; name the column of the patients with --case_column, say how to find the patient in a "
            "slide id with --patient_pattern, or give a table of slides and patients with --slides"
        )
    entries = tuple(
        Entry(slides[key].name, slide_id, patients[key].row) for key in found for slide_id in slides[key].slide_ids
    )
    note = f"{counted(len(found), 'patient')} of {table.path.name} joined with {counted(len(entries), 'slide')}"
    spelled = spellings_note([*(patient_of(plain_id(row, case_column)) for row in rows), *slides_of])
    notes = (note, *spelled, *odd_ids(rows, [case_column]))
    return Entries(entries, notes, _unjoined(patients, slides, table.path.name))


def _patients(rows: Sequence[TableRow], case_column: str, is_complete: IsComplete) -> dict[str, _Patient]:
    """The patients of the table by their ids in small letters, each with one row."""
    patients: dict[str, _Patient] = {}
    for row in rows:
        name = patient_of(case_in(row, case_column))
        first = patients.setdefault(name.casefold(), _Patient(name, row))
        if not is_complete(first.row):
            patients[name.casefold()] = first._replace(row=row)
        elif is_complete(row):
            _check_same(first, name, row, case_column)
    return patients


def _check_same(first: _Patient, name: str, row: TableRow, case_column: str) -> None:
    """Check that two complete rows of one patient say the same."""
    cells = first.row.cells
    differ = [column for column, cell in row.cells.items() if column != case_column and cell != cells[column]]
    if differ:
        case = first.name if name == first.name else f"{first.name} (also written {name})"
        raise UserError(
            f"case {case} is in lines {first.row.line} and {row.line} of {row.path}, which differ in "
            f"{' and '.join(differ)}: expected one outcome per case"
        )


def _slides(slides_of: Mapping[str, Sequence[str]]) -> dict[str, _Slides]:
    """The slides of all spellings of a patient, by the id in small letters."""
    slides: dict[str, _Slides] = {}
    for name, slide_ids in slides_of.items():
        slides.setdefault(name.casefold(), _Slides(name, [])).slide_ids.extend(slide_ids)
    return slides


def _unjoined(patients: Mapping[str, _Patient], slides: Mapping[str, _Slides], table: str) -> tuple[str, ...]:
    """Warnings that count the patients without slides, and the slides without a patient."""
    warnings = []
    without = [patient.name for key, patient in patients.items() if key not in slides]
    if without:
        warnings.append(f"{counted(len(without), 'patient')} of {table} without a slide: {first_ids(without)}")
    others = [slide_id for key, found in slides.items() if key not in patients for slide_id in found.slide_ids]
    if others:
        warnings.append(f"{counted(len(others), 'slide')} without a patient in {table}: {first_ids(others)}")
    return tuple(warnings)
