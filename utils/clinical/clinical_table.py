"""The clinical table: what it says of each predicted case, as text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datasets.folds.cases import patient_of
from datasets.folds.fold_checks import first_ids
from datasets.folds.near_ids import nearest_id
from datasets.make_splits.id_columns import find_id_columns
from datasets.make_splits.label_entries import plain_id
from datasets.make_splits.label_table import LabelTable, TableRow, read_label_table
from datasets.make_splits.plain_ids import id_in_cell
from datasets.make_splits.vocabulary import is_missing, missing_words
from utils.clinical.settings import ClinicalSettings
from utils.errors import UserError
from utils.files.cell_text import printable
from utils.files.phrases import agreeing, counted

_COMMA = re.compile(r"[+-]?\d*,\d+")


@dataclass(frozen=True)
class ClinicalValues:
    """What the table says of n predicted cases.

    Attributes:
        texts: {column: (n,) cells as text, empty where there is no value}.
        found: (n,) whether the table has the case.
        missing: {column: {word that means a missing value: of how many cases}}, of cases that the table has.
        record: how the table was read, as JSON values.
        notes: what was found and assumed, each one sentence.
    """

    texts: Mapping[str, np.ndarray]
    found: np.ndarray
    missing: Mapping[str, Mapping[str, int]]
    record: Mapping[str, Any]
    notes: tuple[str, ...]


def read_clinical_values(
    settings: ClinicalSettings, case_ids: Sequence[str], slides: Mapping[str, str]
) -> ClinicalValues:
    """Read the columns of `settings` for the cases (n,); `slides` {slide: case} find those of a table of slides.

    A case and a row belong together where their ids name the same patient (of barcodes the first 12 characters), in any
    letter case, or the row names a slide of the case. Several rows of a patient, such as one for each slide, must agree
    in what they say.

    Raises:
        UserError: the table cannot be read or lacks a column, no case is in it, or rows of a patient contradict each
            other.
    """
    settings = settings.in_plain_text()
    if settings.clinical is None or not settings.clinical.is_file():
        raise UserError(f"the clinical table {settings.clinical} is no file: give an existing one with --clinical")
    table = read_label_table(
        settings.clinical, separator=settings.separator, encoding=settings.encoding, sheet=settings.sheet
    )
    table.require(settings.columns, "correct --covariates or --subgroups")
    ids = find_id_columns(table, settings.slide_column, settings.case_column)
    column = ids.case or ids.slide
    if column is None:
        raise UserError(
            f"no column of {table.path} is known as the patient (found {table.found()}): name it with --case_column"
        )
    rows = table.rows(name for name in (column, ids.slide, *settings.columns) if name)
    words = missing_words(settings.missing or ())
    comma = {name for name in settings.columns if _has_decimal_comma(table, rows, name, settings, words)}
    rows_of, others = _rows_of_cases(rows, column, ids.slide, case_ids, slides)
    if not rows_of:
        raise _nothing_in_common(table.path, column, case_ids, others)
    texts = {name: np.full(len(case_ids), "", dtype=object) for name in settings.columns}
    missing: dict[str, Counter[str]] = {name: Counter() for name in settings.columns}
    for at, own in rows_of.items():
        for name in settings.columns:
            value = _value(own, name, case_ids[at], words)
            if value is None:
                missing[name][own[0].cells[name]] += 1
            else:
                texts[name][at] = value.replace(",", ".") if name in comma else value
    found = np.isin(np.arange(len(case_ids)), list(rows_of))
    notes = (*table.notes, *ids.notes, *_joined(table.path, case_ids, found, len(set(map(_key, others)))))
    notes += tuple(f"Numbers of column {name} have a decimal comma." for name in sorted(comma))
    record = {"file": table.path.name, "sha256": table.sha256, **table.source, "case_column": column}
    return ClinicalValues(texts, found, {name: dict(words) for name, words in missing.items()}, record, notes)


def _rows_of_cases(
    rows: Sequence[TableRow], column: str, slide_column: str | None, case_ids: Sequence[str], slides: Mapping[str, str]
) -> tuple[dict[int, list[TableRow]], list[str]]:
    """{place of a case: its rows}, and the ids of the rows of none."""
    index = {_key(case_id): at for at, case_id in enumerate(case_ids)}
    of_slide = {slide: index[_key(case_id)] for slide, case_id in slides.items() if _key(case_id) in index}
    rows_of: dict[int, list[TableRow]] = {}
    others: list[str] = []
    for row in rows:
        identifier = plain_id(row, column)
        at = index.get(_key(identifier))
        if at is None and slide_column is not None:  # predictions may name a slide where the table names its patient
            at = of_slide.get(id_in_cell(row.cells[slide_column]))
        if at is None:
            others.append(identifier)
        else:
            rows_of.setdefault(at, []).append(row)
    return rows_of, others


def _key(identifier: str) -> str:
    return patient_of(identifier).casefold()


def _has_decimal_comma(
    table: LabelTable, rows: Sequence[TableRow], column: str, settings: ClinicalSettings, words: frozenset[str]
) -> bool:
    """Whether a column holds nothing but numbers, some with a decimal comma."""
    if column in (settings.categorical or ()):
        return False
    cells = [row.cells[column] for row in rows if not is_missing(row.cells[column], words)]
    if not all(re.fullmatch(r"[+-]?[\d.,]*\d[\d.,]*", cell) for cell in cells):
        return False
    return any(map(_COMMA.fullmatch, cells)) and table.decimal_comma(rows, column) is not None


def _value(rows: Sequence[TableRow], column: str, case_id: str, words: frozenset[str]) -> str | None:
    """What the rows of a case say in a column; None where none says anything."""
    said: dict[str, TableRow] = {}
    for row in rows:
        if not is_missing(row.cells[column], words):
            said.setdefault(row.cells[column], row)
    if len(said) > 1:
        (one, first), (other, second) = list(said.items())[:2]
        raise UserError(
            f"case {case_id} has two values of {column} in {first.path} ({printable(one)} in line {first.line}, "
            f"{printable(other)} in line {second.line}): expected one per case; correct the table"
        )
    return next(iter(said), None)


def _nothing_in_common(path: Path, column: str, case_ids: Sequence[str], others: Sequence[str]) -> UserError:
    near = ((case_id, nearest_id(case_id, others)) for case_id in case_ids[:20])
    alike = next((f"; is {other} the case {case_id}?" for case_id, other in near if other), "")
    return UserError(
        f"none of the {counted(len(case_ids), 'test case')} ({first_ids(case_ids)}) is in column {column} of {path} "
        f"({first_ids(others)}{alike}): expected their ids there; name another column with --case_column"
    )


def _joined(path: Path, case_ids: Sequence[str], found: np.ndarray, n_others: int) -> list[str]:
    """Which cases the table lacks, and what it has beside them."""
    lacking = [case_id for case_id, is_there in zip(case_ids, found, strict=True) if not is_there]
    notes = []
    if lacking:
        are = agreeing(len(lacking), "is", "are")
        notes.append(f"{len(lacking)} of {len(case_ids)} test cases {are} not in {path.name}: {first_ids(lacking)}.")
    if n_others:
        are = agreeing(n_others, "is", "are")
        notes.append(f"{counted(n_others, 'patient')} of {path.name} {are} no test case of this run, and left out.")
    return notes
