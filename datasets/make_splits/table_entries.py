"""Which slides a label table is about: its own, those of a second table, or the feature files of its patients."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from datasets.folds.cases import patient_of
from datasets.make_splits.id_columns import IdColumns, find_id_columns
from datasets.make_splits.label_entries import Entries, slide_entries
from datasets.make_splits.label_options import LabelOptions
from datasets.make_splits.label_table import LabelTable, TableRow, read_label_table
from datasets.make_splits.patient_rows import patient_entries
from datasets.make_splits.slide_match import matched_entries
from datasets.make_splits.slide_patients import FoundPatients, found_patients, patient_rule, slides_as_patients
from datasets.slides.id_checks import check_slide_files
from utils.errors import UserError

MissingIn = Callable[[TableRow], str | None]


def table_entries(
    options: LabelOptions,
    table: LabelTable,
    values: Sequence[str],
    missing_in: MissingIn,
    slide_ids: Collection[str] | None,
) -> tuple[IdColumns, Entries]:
    """Return the columns of the ids, and an entry for each slide that the table says something of.

    Args:
        options: name the columns of the ids, the pattern of patients, and a second table.
        table: the label table.
        values: its columns of labels or outcomes.
        missing_in: the first column that a row lacks, None for a complete row.
        slide_ids: those that have features.

    Raises:
        UserError: a column that is needed is not found, or the ids contradict each other; no slide has features.
    """
    if options.slides is not None:
        return _of_second_table(options, options.slides, table, values, missing_in, slide_ids)
    ids = find_id_columns(table, options.slide_column, options.case_column)
    if ids.slide is None:
        return ids, _of_patients(options, ids, table, values, missing_in, slide_ids)
    case_column = None if options.patient_pattern else ids.case
    rows = table.rows([name for name in (ids.slide, case_column, *values) if name])
    labelled = _of_slides(options, ids.slide, case_column, rows)
    if slide_ids is not None:
        labelled = matched_entries(labelled, slide_ids, table.path)
    return replace(ids, case=case_column), labelled._replace(notes=(*ids.notes, *labelled.notes))


def _of_slides(options: LabelOptions, slide_column: str, case_column: str | None, rows: Sequence[TableRow]) -> Entries:
    """The entries of a table of slides, with a warning where nothing names their patients."""
    labelled = slide_entries(rows, slide_column, case_column, patient_rule(options.patient_pattern))
    patients = [entry.patient for entry in labelled.entries]
    if options.patient_pattern:
        return _with_patients(labelled, _of_pattern(options.patient_pattern, patients))
    if case_column:
        column = f"column {case_column} of {rows[0].path.name}"
        return _with_patients(labelled, found_patients(patients, column, "--case_column"))
    warning = slides_as_patients([entry.slide_id for entry in labelled.entries])
    return labelled._replace(warnings=(*labelled.warnings, *([warning] if warning else [])))


def _of_pattern(pattern: str, patients: Sequence[str]) -> FoundPatients:
    return found_patients(patients, f"--patient_pattern '{pattern}'", "--patient_pattern")


def _with_patients(labelled: Entries, found: FoundPatients) -> Entries:
    warnings = (*labelled.warnings, *([found.warning] if found.warning else []))
    return labelled._replace(notes=(*labelled.notes, found.note), warnings=warnings)


def _of_patients(
    options: LabelOptions,
    ids: IdColumns,
    table: LabelTable,
    values: Sequence[str],
    missing_in: MissingIn,
    slide_ids: Collection[str] | None,
) -> Entries:
    """The entries of a table of patients, whose slides are the feature files."""
    if slide_ids is None:
        raise UserError(
            f"no column of {table.path} is known as the slide (found {table.found()}): name it with --slide_column, "
            "or, for a table of patients, give the feature files with --features_dir or a table of slides and "
            "patients with --slides"
        )
    check_slide_files(slide_ids, "the feature directories")
    rule = patient_rule(options.patient_pattern)
    patients = {slide_id: rule(slide_id) for slide_id in slide_ids}
    labelled = _joined(ids, table, values, missing_in, patients)
    if not options.patient_pattern:
        return labelled
    return _with_patients(labelled, _of_pattern(options.patient_pattern, list(patients.values())))


def _of_second_table(
    options: LabelOptions,
    path: Path,
    table: LabelTable,
    values: Sequence[str],
    missing_in: MissingIn,
    slide_ids: Collection[str] | None,
) -> tuple[IdColumns, Entries]:
    """The entries of a table of patients, whose slides are in a second table."""
    second = read_label_table(path)
    named = options.case_column
    if named is not None and named not in (*table.header, *second.header):
        raise UserError(f"neither {table.path} nor {path} has a column {named}: correct --case_column")
    ids = find_id_columns(table, None, named if named in table.header else None)
    others = find_id_columns(second, options.slide_column, named if named in second.header else None)
    if others.slide is None:
        raise UserError(
            f"no column of {path} is known as the slide (found {second.found()}): name it with --slide_column"
        )
    case_column = None if options.patient_pattern else others.case
    rows = second.rows([name for name in (others.slide, case_column) if name])
    slides = _of_slides(options, others.slide, case_column, rows)
    if slide_ids is not None:
        slides = matched_entries(slides, slide_ids, path)
    patients = slides.patients()
    joined = _joined(ids, table, values, missing_in, patients)
    joined_slides = joined.patients()
    without_row = {slide_id: patient for slide_id, patient in patients.items() if slide_id not in joined_slides}
    return replace(ids, slide=None), joined._replace(
        notes=(*second.notes, *others.notes, *slides.notes, *joined.notes),
        warnings=(*slides.warnings, *joined.warnings),
        without_row=without_row,
    )


def _joined(
    ids: IdColumns,
    table: LabelTable,
    values: Sequence[str],
    missing_in: MissingIn,
    patient_of_slide: Mapping[str, str],
) -> Entries:
    """An entry for each slide of each patient of a table."""
    if ids.case is None:
        raise UserError(
            f"no column of {table.path} is known as the patient (found {table.found()}): name it with --case_column"
        )
    slides_of: dict[str, list[str]] = {}
    for slide_id, patient in sorted(patient_of_slide.items()):
        slides_of.setdefault(patient_of(patient), []).append(slide_id)
    joined = patient_entries(
        table, table.rows([ids.case, *values]), ids.case, slides_of, lambda row: missing_in(row) is None
    )
    return joined._replace(notes=(*ids.notes, *joined.notes))
