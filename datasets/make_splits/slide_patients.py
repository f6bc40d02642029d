"""Whose slide it is: the patient behind a slide id."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from datasets.folds.cases import patient_of
from datasets.folds.fold_checks import first_ids
from datasets.slides.id_checks import CASE, why_no_case
from utils.errors import UserError
from utils.files.cell_text import printable
from utils.files.phrases import agreeing, counted

PatientOf = Callable[[str], str]
_FEWEST_SLIDES = 10  # among fewer, most may well be of one patient


def patient_rule(pattern: str | None) -> PatientOf:
    """Return the function slide id -> patient: what a pattern finds in the id, or without one `patient_of`.

    A pattern is a regular expression that is looked for anywhere in the id; its first group is the patient, or what it
    matches as a whole where it has no group.

    Raises:
        UserError: here for a pattern that is none, and by the function for an id in which it finds nothing.
    """
    if pattern is None:
        return patient_of
    try:
        compiled = re.compile(unicodedata.normalize("NFC", pattern))  # as ids are, see `plain_text`
    except re.error as error:
        raise UserError(
            f"--patient_pattern '{pattern}' is no regular expression ({error}): expected one such as '^(P[0-9]+)_'"
        ) from error

    def of_pattern(slide_id: str) -> str:
        match = compiled.search(slide_id)
        patient = match.group(1 if compiled.groups else 0) if match else None
        if not patient:
            raise UserError(
                f"--patient_pattern '{pattern}' finds no patient in the slide id {slide_id!r}: expected it to in each"
            )
        why = why_no_case(patient)
        if why is not None:
            raise UserError(
                f"--patient_pattern '{pattern}' finds {printable(patient)} in the slide id {printable(slide_id)}: "
                f"expected {CASE.format(why)}"
            )
        return patient

    return of_pattern


class FoundPatients(NamedTuple):
    """How many patients were found: a note, and a warning where that looks wrong (else None), each one sentence."""

    note: str
    warning: str | None


def found_patients(patients: Sequence[str], source: str, option: str) -> FoundPatients:
    """Return what to say of the patients that a pattern or a column makes of slides.

    A warning is given where all slides are of one patient, or more than half of ten or more.

    Args:
        patients: of each slide; not empty.
        source: what names them, such as `column case_id of labels.csv`.
        option: that corrects it.

    >>> found_patients(["P1", "P1", "P2"], "column case_id of t.csv", "--case_column").note
    '3 slides of 2 patients (column case_id of t.csv)'
    """
    count = Counter(patients)
    note = f"{counted(len(patients), 'slide')} of {counted(len(count), 'patient')} ({source})"
    [(name, most)] = count.most_common(1)
    whole = len(count) == 1 and most > 1
    if not whole and (most * 2 <= len(patients) or len(patients) < _FEWEST_SLIDES):
        return FoundPatients(note, None)
    found = f"all {most}" if whole else f"{most} of {len(patients)}"
    return FoundPatients(
        note, f"{found} slides are of one patient, {name!r} ({source}): if that is not one person, correct {option}"
    )


def slides_as_patients(slide_ids: Sequence[str]) -> str | None:
    """Return a warning where slides stand for their patients, since their ids name none; None where all name one."""
    without = [slide_id for slide_id in slide_ids if patient_of(slide_id) == slide_id]
    if not without:
        return None
    if len(without) == len(slide_ids):
        found = "every slide counts as a patient of its own"
    else:
        verb = agreeing(len(without), "counts as a patient of its own", "count as patients of their own")
        found = f"{counted(len(without), 'slide')} {verb}"
    return (
        f"{found}, since no column names the patient and the ids show none ({first_ids(without)}): if patients have "
        "several slides, name the column with --case_column, or how to find the patient in the id with "
        "--patient_pattern"
    )
