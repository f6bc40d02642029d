"""The columns of the ids in a table: the slide and the patient, named by a user or found by their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from datasets.folds.cases import patient_of
from datasets.make_splits.label_table import LabelTable
from datasets.make_splits.vocabulary import is_missing
from utils.errors import UserError

# As `plain_name` writes them. The first name of each is taken even where others are there too.
_SLIDE = (
    "slide_id",
    "slide",
    "slide_name",
    "slide_submitter_id",
    "slide_barcode",
    "slide_file",
    "slide_filename",
    "filename",
    "file_name",
    "image_id",
    "image",
    "image_name",
    "wsi",
    "wsi_id",
)
_CASE = (
    "case_id",
    "patient_id",
    "patient",
    "case",
    "case_submitter_id",
    "submitter_id",
    "bcr_patient_barcode",
    "patient_barcode",
    "patient_identifier",
    "subject_id",
    "subject",
    "participant_id",
    "participant",
)
_SAMPLE = ("sample_id", "sample", "sample_barcode", "sample_submitter_id", "bcr_sample_barcode")
_GDC_PREFIX = re.compile(r"(cases|demographic|diagnoses|follow_ups|exposures|samples|project)\.")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True)
class IdColumns:
    """The columns of the ids; None where the table has none. `notes`: those that were found, each one sentence."""

    slide: str | None
    case: str | None
    notes: tuple[str, ...]


def plain_name(column: str) -> str:
    """Return the name of a column as the lists of known names write it.

    >>> plain_name("Patient ID"), plain_name("demographic.vital_status"), plain_name("Overall Survival (Months)")
    ('patient_id', 'vital_status', 'overall_survival_months')
    """
    words = re.sub(r"[^a-z0-9.]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column.strip()).lower())
    return re.sub(r"[^a-z0-9]+", "_", _GDC_PREFIX.sub("", words)).strip("_")


def find_id_columns(table: LabelTable, slide_column: str | None = None, case_column: str | None = None) -> IdColumns:
    """Return the columns of slide and patient: those that a user names, else those whose names leave no doubt.

    A column of samples is that of the patient where no other is and all samples are barcodes, which name the patient.
    Of several columns of patients those of UUIDs are passed over (the GDC calls one `case_id`).

    Raises:
        UserError: a named column is missing, or several columns might be meant.
    """
    table.require([name for name in (slide_column, case_column) if name], "correct the option that names it")
    notes: list[str] = []
    slide = slide_column or _found(table, _SLIDE, "slide", "--slide_column", notes)
    case = case_column or _found(table, _CASE, "patient", "--case_column", notes)
    if case is None:
        samples = _named(table, _SAMPLE)
        if len(samples) == 1 and all(map(_is_barcode, _filled(table, samples[0]))):
            case = samples[0]
            notes.append(f"the patients are those of the barcodes in column {case} of {table.path.name}")
    return IdColumns(slide, case, tuple(notes))


def _found(table: LabelTable, names: Sequence[str], what: str, option: str, notes: list[str]) -> str | None:
    columns = _named(table, names)
    if len(columns) > 1:
        columns = _told_apart(table, columns, names[0])
    if len(columns) > 1:
        raise UserError(
            f"the {what} may be in the columns {', '.join(columns)} of {table.path}: name one with {option}"
        )
    if not columns:
        return None
    if columns[0] != names[0]:
        notes.append(f"the {what} is in column {columns[0]} of {table.path.name}")
    return columns[0]


def _told_apart(table: LabelTable, columns: Sequence[str], first_name: str) -> list[str]:
    """The columns that remain once their cells are looked at: the usual name, else that of barcodes."""
    filled = {name: _filled(table, name) for name in columns}
    left = [name for name in columns if not all(map(_UUID.fullmatch, filled[name]))] or list(columns)
    usual = [name for name in left if plain_name(name) == first_name]
    if len(usual) == 1:
        return usual
    barcodes = [name for name in left if all(map(_is_barcode, filled[name]))]
    patients = {tuple(map(patient_of, filled[name])) for name in barcodes}
    return barcodes[:1] if len(patients) == 1 else left


def _is_barcode(text: str) -> bool:
    return patient_of(text + "-") != text + "-"


def _named(table: LabelTable, names: Sequence[str]) -> list[str]:
    return [name for name in dict.fromkeys(table.header) if plain_name(name) in names]


def _filled(table: LabelTable, column: str) -> list[str]:
    return [row.cells[column] for row in table.rows([column]) if not is_missing(row.cells[column])]
