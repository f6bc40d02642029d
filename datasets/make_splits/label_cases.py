"""From the entries of a label table to cases: one outcome per patient, classes as numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from datasets.folds.cases import Case
from datasets.folds.fold_checks import first_ids
from datasets.folds.survival_bins import LONGEST_MONTHS
from datasets.make_splits.class_numbers import classes_of_model, numbered_classes, plain_names
from datasets.make_splits.label_entries import Entry
from datasets.make_splits.label_table import LabelTable, TableRow, whole_number
from datasets.make_splits.outcome_columns import TIME_UNITS, OutcomeColumns
from datasets.make_splits.vocabulary import describe_status, is_event, is_missing
from utils.errors import UserError
from utils.files.phrases import agreeing, counted

_LONGEST_FOLLOW_UP = 720.0  # months: 60 years


@dataclass(frozen=True)
class LabelledCases:
    """What a label table says.

    Attributes:
        cases: sorted by patient and slide, whatever the order of the table. One per slide (cls), or one per patient
            with all slides (surv; months, 1 = censored, no bins: they belong to a fold). `case_id` is the patient.
        dropped: the slides without a label, time or status, in the order of the table.
        classes: class as the table writes it -> 0..C-1 (cls; empty for surv).
        missing: column -> word that means a missing value -> how many slides were left out for it.
        notes: what was found, assumed or left out, each one sentence.
        warnings: what a user should look at, each one sentence.
        record: how the table was read, as JSON values: its SHA-256, separator, encoding or sheet, columns.
        patients: slide -> patient, of each slide that the table (or a second one) names, with a label or without.
    """

    cases: tuple[Case, ...]
    dropped: tuple[str, ...] = ()
    classes: Mapping[str, int] = field(default_factory=dict)
    missing: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)
    patients: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CompleteEntries:
    """The entries with every value that is needed, and what is known of the others (see `LabelledCases`)."""

    entries: tuple[Entry, ...]
    dropped: tuple[str, ...]
    missing: Mapping[str, Mapping[str, int]]

    def note(self) -> str:
        """Return which slides have no label and why, in one sentence; nothing where all have one."""
        if not self.dropped:
            return ""
        why = "; ".join(f"{column}: {counted_words(words)}" for column, words in self.missing.items())
        have = agreeing(len(self.dropped), "has", "have")
        return f"{counted(len(self.dropped), 'slide')} {have} no label ({why}): {first_ids(self.dropped)}"


def counted_words(words: Mapping[str, int]) -> str:
    """Return words with their numbers.

    >>> counted_words({"[Not Available]": 3, "": 1})
    "3 '[Not Available]', 1 empty"
    """
    return ", ".join(f"{number} {word!r}" if word else f"{number} empty" for word, number in words.items())


def complete_entries(entries: Sequence[Entry], missing_in: Callable[[TableRow], str | None]) -> CompleteEntries:
    """Split the entries into those that are complete and the others; `missing_in` gives the first column that a row
    lacks.

    Raises:
        UserError: no row is complete.
    """
    kept, dropped, counts = [], [], dict[str, Counter[str]]()
    for entry in entries:
        column = missing_in(entry.row)
        if column is None:
            kept.append(entry)
        else:
            dropped.append(entry.slide_id)
            counts.setdefault(column, Counter())[entry.row.cells[column]] += 1
    missing = {column: dict(counter.most_common()) for column, counter in counts.items()}
    if not kept:
        why = "; ".join(f"{column}: {counted_words(words)}" for column, words in missing.items())
        raise UserError(
            f"no row of {entries[0].row.path} has a label ({why}, which mean a missing value): expected labels; check "
            "the names of the columns"
        )
    return CompleteEntries(tuple(kept), tuple(dropped), missing)


def classification_cases(
    complete: CompleteEntries,
    label_column: str,
    class_names: Sequence[str] | None = None,
    known_classes: Sequence[str] | None = None,
) -> LabelledCases:
    """Return one case per slide, with its class as a number.

    The classes are numbered in the order of `class_names`; without them, integers (`1` and `1.0` are the same) in
    numerical order, and other labels in the order of their text. `known_classes` are those of a trained model: labels
    must be among them and have their numbers, and some may be without slides.

    Raises:
        UserError: a label outside `class_names` or `known_classes`, a class without slides, fewer than two classes.
    """
    written = [entry.row.cells[label_column] for entry in complete.entries]
    plain = plain_names(written)
    where = f"column {label_column} of {complete.entries[0].row.path}"
    if known_classes is None:
        classes = numbered_classes(set(plain.values()), where, class_names, complete.note())
    else:
        classes = classes_of_model(set(plain.values()), where, class_names, known_classes)
    cases = (
        Case(entry.patient, (entry.slide_id,), label=classes[plain[text]])
        for entry, text in zip(complete.entries, written, strict=True)
    )
    ordered = tuple(sorted(cases, key=lambda case: (case.case_id, case.slide_ids)))
    return LabelledCases(ordered, complete.dropped, classes=classes, missing=complete.missing)


def survival_cases(complete: CompleteEntries, table: LabelTable, columns: OutcomeColumns) -> LabelledCases:
    """Return one case per patient, with time in months and censorship (1 = censored).

    Raises:
        UserError: a time that is no number of 0 or more, a status that is unknown, two outcomes of one patient.
    """
    rows = tuple({entry.row.place: entry.row for entry in complete.entries}.values())
    commas = {name: table.decimal_comma(rows, name) for name in columns.columns() if name != columns.status}
    died = {row.place: _died(row, columns) for row in rows}
    expected = f"a survival time in {columns.unit}, 0 or more"
    cases: dict[str, Case] = {}
    for patient, slide_id, row in sorted(complete.entries, key=lambda entry: entry[:2]):
        column = time_column_of(columns, died[row.place])
        time = row.number(column, expected, decimal_comma=bool(commas[column])) / TIME_UNITS[columns.unit]
        if time > LONGEST_MONTHS:
            raise row.error(column, f"{expected} and at most 1,000 years")
        censored = int(not died[row.place])
        first = cases.setdefault(patient, Case(patient, (), time=time, censored=censored))
        if (first.time, first.censored) != (time, censored):
            raise UserError(
                f"case {patient} has two outcomes in {table.path} (its slide {slide_id}, line {row.line}, differs from "
                f"its slide {first.slide_ids[0]} in {column} or {columns.status}): expected one per case; correct "
                "the table, or who the patient is (--case_column or --patient_pattern)"
            )
        cases[patient] = replace(first, slide_ids=(*first.slide_ids, slide_id))
    notes = [_status_note(complete.entries, died, columns.status)]
    notes += [
        f"{text} in column {name} was read as {text.replace(',', '.')}: a decimal comma"
        for name, text in commas.items()
        if text
    ]
    warnings = tuple(_implausible_times(cases.values(), columns))
    found = LabelledCases(tuple(cases.values()), complete.dropped, missing=complete.missing, notes=tuple(notes))
    return replace(found, warnings=warnings)


def _implausible_times(cases: Collection[Case], columns: OutcomeColumns) -> Iterator[str]:
    """That a follow-up is longer than any: most often days that were taken for months."""
    months, case_id = max((case.time or 0.0, case.case_id) for case in cases)
    if months > _LONGEST_FOLLOW_UP:
        yield (
            f"case {case_id} was followed for {months:.0f} months ({months / 12:.0f} years), as the times of column "
            f"{columns.time} are in {columns.unit}: is that their unit (--time_unit)?"
        )


def missing_outcome(row: TableRow, columns: OutcomeColumns, words: Collection[str]) -> str | None:
    """Return the first of the columns of a survival outcome that has no value in a row, or None."""
    if is_missing(row.cells[columns.status], words):
        return columns.status
    column = time_column_of(columns, _died(row, columns)) if columns.last_seen else columns.time
    return column if is_missing(row.cells[column], words) else None


def time_column_of(columns: OutcomeColumns, died: bool) -> str:
    """Return the column of the time of a case that died, or was alive when last seen."""
    return columns.last_seen if columns.last_seen and not died else columns.time


def _died(row: TableRow, columns: OutcomeColumns) -> bool:
    text = row.cells[columns.status]
    died = is_event(text, one_is_event=columns.one_is_event)
    if died is None:
        raise row.error(columns.status, describe_status(one_is_event=columns.one_is_event))
    if columns.words_only and whole_number(text) is not None:
        raise UserError(
            f"column {columns.status} of {row.path} holds {text!r}, whose meaning nobody said: name the column with "
            "--event_column (1 = death observed) or --censor_column (1 = censored)"
        )
    return died


def _status_note(entries: Sequence[Entry], died: Mapping[tuple[Path, int], bool], column: str) -> str:
    """How the words of a status were read, such as `OS_STATUS: Dead = event (45 patients), Alive = censored (1
    patient)`; a patient with several slides or rows counts once.
    """
    said = dict.fromkeys((entry.patient, entry.row.cells[column], died[entry.row.place]) for entry in entries)
    meaning = {True: "event", False: "censored"}
    words = (
        f"{text} = {meaning[event]} ({counted(number, 'patient')})"
        for (text, event), number in Counter((text, event) for _, text, event in said).most_common()
    )
    return f"{column}: {', '.join(words)}"
