"""From a label table to cases: one patient per case id, one outcome per patient, classes as numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from datasets.folds.cases import Case, patient_of
from datasets.folds.fold_checks import first_ids
from datasets.folds.fold_table import SLIDE_ENDINGS
from datasets.make_splits.label_table import LabelTable, TableRow
from utils.errors import UserError

DAYS_PER_MONTH = 30.4375  # 365.25 / 12
TIME_UNITS = {"days": DAYS_PER_MONTH, "months": 1.0}  # how many of the unit are a month


@dataclass(frozen=True)
class LabelledCases:
    """What a label table says.

    Attributes:
        cases: sorted by patient and slide, whatever the order of the table. One per slide (cls), or one per patient
            with all slides (surv; months, 1 = censored, no bins: they belong to a fold). `case_id` is the patient.
        dropped: the slides of rows without a label, time or status, in the order of the table.
        classes: class as the table writes it -> 0..C-1 (cls; empty for surv).
    """

    cases: tuple[Case, ...]
    dropped: tuple[str, ...]
    classes: Mapping[str, int]


class _Entry(NamedTuple):
    """A row of the table, with the patient and the slide that it is about."""

    patient: str
    slide_id: str
    row: TableRow


def classification_cases(
    table: LabelTable, case_column: str, slide_column: str, label_column: str, class_names: Sequence[str] | None = None
) -> LabelledCases:
    """Return one case per slide, with its class as a number.

    The classes are numbered in the order of `class_names`; without them, integers (`1` and `1.0` are the same) in
    numerical order, and other labels in the order of their text.

    Raises UserError for a blank or repeated id, a slide of two patients, a label outside `class_names`, a class
    without slides, fewer than two classes.
    """
    entries, dropped = _complete(_entries(table, case_column, slide_column), (label_column,))
    written = [entry.row.cells[label_column] for entry in entries]
    plain = _plain_names(written)
    classes = _numbered(set(plain.values()), table, label_column, class_names)
    cases = (
        Case(entry.patient, (entry.slide_id,), label=classes[plain[text]])
        for entry, text in zip(entries, written, strict=True)
    )
    return LabelledCases(tuple(sorted(cases, key=lambda case: (case.case_id, case.slide_ids))), dropped, classes)


def survival_cases(
    table: LabelTable,
    case_column: str,
    slide_column: str,
    time_column: str,
    *,
    event_column: str | None = None,
    censor_column: str | None = None,
    time_unit: str = "months",
) -> LabelledCases:
    """Return one case per patient, with time in months and censorship (1 = censored).

    Exactly one of `event_column` (1 = death observed) and `censor_column` (1 = censored) is given. Days are divided by
    30.4375 (365.25 / 12).

    Raises UserError for a blank or repeated id, a slide of two patients, a time that is no number of 0 or more, a
    status other than 0 and 1, two outcomes of one patient.
    """
    status_column = event_column or censor_column
    if status_column is None or (event_column and censor_column):
        raise ValueError("expected exactly one of event_column and censor_column")
    meaning = "0 (censored) or 1 (death)" if event_column else "0 (death) or 1 (censored)"
    entries, dropped = _complete(_entries(table, case_column, slide_column), (time_column, status_column))
    cases: dict[str, Case] = {}
    for patient, slide_id, row in sorted(entries, key=lambda entry: entry[:2]):
        time = row.number(time_column, f"a survival time in {time_unit}, 0 or more") / TIME_UNITS[time_unit]
        censored = int(row.flag(status_column, meaning) == bool(censor_column))
        first = cases.setdefault(patient, Case(patient, (), time=time, censored=censored))
        if (first.time, first.censored) != (time, censored):
            raise UserError(
                f"case {patient} has two outcomes in {table.path} (its slide {slide_id}, line {row.line}, differs from "
                f"its slide {first.slide_ids[0]} in {time_column} or {status_column}): expected one per case"
            )
        cases[patient] = replace(first, slide_ids=(*first.slide_ids, slide_id))
    return LabelledCases(tuple(cases.values()), dropped, {})


def _entries(table: LabelTable, case_column: str, slide_column: str) -> list[_Entry]:
    """The rows with their ids: a known ending is removed, and the patient is `patient_of` the case id."""
    entries, line_of, owner = [], dict[str, int](), dict[str, str]()
    for row in table.rows:
        case_id, slide_id = (_without_ending(row.cells[name]) for name in (case_column, slide_column))
        for column, identifier in ((case_column, case_id), (slide_column, slide_id)):
            if not identifier:
                raise UserError(
                    f"line {row.line} of {table.path} has no id in column {column}: fill it in, or remove it"
                )
        if slide_id in line_of:
            raise UserError(
                f"slide {slide_id} is in lines {line_of[slide_id]} and {row.line} of {table.path}: expected each slide "
                "once; remove one"
            )
        line_of[slide_id] = row.line
        patient = patient_of(case_id)
        # As `read_fold` does: the barcode of a slide names its patient too.
        for name in (patient, patient_of(slide_id)):
            if owner.setdefault(name, patient) != patient:
                raise UserError(
                    f"slide {slide_id} (line {row.line} of {table.path}) is of case {patient}, and {name} is also a "
                    f"name of case {owner[name]}: expected each slide and barcode under one case; correct {case_column}"
                )
        entries.append(_Entry(patient, slide_id, row))
    return entries


def _without_ending(text: str) -> str:
    while text.endswith(SLIDE_ENDINGS):  # whoever reads the fold removes one more
        text = text.rsplit(".", 1)[0]
    return text


def _complete(entries: Sequence[_Entry], columns: Sequence[str]) -> tuple[list[_Entry], tuple[str, ...]]:
    """The entries with all these cells filled, and the slides of the others."""
    filled = [entry for entry in entries if all(entry.row.cells[name] for name in columns)]
    if not filled:
        path = entries[0].row.path
        raise UserError(f"no row of {path} fills {' and '.join(columns)}: expected labels; check the column names")
    kept = {entry.slide_id for entry in filled}
    return filled, tuple(entry.slide_id for entry in entries if entry.slide_id not in kept)


def _plain_names(labels: Collection[str]) -> dict[str, str]:
    """Each label -> its name: integers as `3` even where they are written `3.0`, when all labels are integers."""
    integers = {text: _integer(text) for text in labels}
    if None in integers.values():
        return {text: text for text in labels}
    return {text: str(integer) for text, integer in integers.items()}


def _integer(text: str) -> int | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() else None


def _numbered(
    found: Collection[str], table: LabelTable, label_column: str, class_names: Sequence[str] | None
) -> dict[str, int]:
    """Class name -> 0..C-1."""
    integers = all(_integer(name) is not None for name in found)
    if class_names is None:
        names = sorted(found, key=int) if integers else sorted(found)
    else:
        plain = _plain_names(class_names) if integers else {name: name for name in class_names}
        names = [plain[name] for name in class_names]
    where = f"column {label_column} of {table.path}"
    unknown = sorted(set(found) - set(names))
    if unknown:
        raise UserError(
            f"{where} holds {first_ids(unknown)}, not among --classes {' '.join(names)}: add them there, or blank "
            "these cells to leave the slides out"
        )
    without = [name for name in names if name not in found]
    if without:
        raise UserError(
            f"no row has the class {without[0]} in {where} (found {first_ids(sorted(found))}): correct --classes"
        )
    if len(set(names)) != len(names):
        raise UserError(f"--classes {' '.join(names)} names a class twice: expected each once")
    if len(names) < 2:
        raise UserError(f"{where} holds one class only ({names[0]}): expected two or more")
    return {name: index for index, name in enumerate(names)}
