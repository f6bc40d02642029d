"""Whose slide it is: the patient behind a slide id."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from datasets.folds.cases import patient_of
from datasets.folds.fold_checks import first_ids
from utils.errors import UserError

PatientOf = Callable[[str], str]


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
        compiled = re.compile(pattern)
    except re.error as error:
        raise UserError(
            f"--patient_pattern {pattern!r} is no regular expression ({error}): expected one such as '^(P[0-9]+)_'"
        ) from error

    def of_pattern(slide_id: str) -> str:
        match = compiled.search(slide_id)
        patient = match.group(1 if compiled.groups else 0) if match else None
        if not patient:
            raise UserError(
                f"--patient_pattern {pattern!r} finds no patient in the slide id {slide_id!r}: expected it to in each"
            )
        return patient

    return of_pattern


def slides_as_patients(slide_ids: Sequence[str]) -> str | None:
    """Return a warning where slides stand for their patients, since their ids name none; None where all name one."""
    without = [slide_id for slide_id in slide_ids if patient_of(slide_id) == slide_id]
    if not without:
        return None
    if len(without) == len(slide_ids):
        found = "every slide counts as a patient of its own"
    elif len(without) == 1:
        found = "1 slide counts as a patient of its own"
    else:
        found = f"{len(without)} slides count as patients of their own"
    return (
        f"{found}, since no column names the patient and the ids show none ({first_ids(without)}): if patients have "
        "several slides, name the column with --case_column, or how to find the patient in the id with "
        "--patient_pattern"
    )
