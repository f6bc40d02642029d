"""What must hold of a fold before any work is done on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path

from datasets.folds.cases import PARTS, Case, Fold, patient_of
from datasets.folds.survival_bins import MOST_BINS
from utils.errors import UserError
from utils.files.phrases import counted

N_NAMED = 5  # ids or labels, in a message


def first_ids(ids: Sequence[str]) -> str:
    """Return the first few ids as text, for a message.

    >>> first_ids(["a", "b", "c", "d", "e", "f", "g"])
    'a, b, c, d, e, ...'
    """
    return ", ".join(ids[:N_NAMED]) + (", ..." if len(ids) > N_NAMED else "")


def check_slides_unique(slide_ids: Iterable[tuple[str, str]], path: Path) -> None:
    """Raise UserError when a slide stands twice among the (part, slide id) pairs, in one part or in two."""
    part_of: dict[str, str] = {}
    for part, slide_id in slide_ids:
        if slide_id in part_of:
            first = part_of[slide_id]
            where = f"twice in {part}" if first == part else f"in {first} and in {part}"
            raise UserError(f"slide {slide_id} is {where} of {path}: expected each slide once")
        part_of[slide_id] = part


def check_parts_filled(fold: Fold) -> None:
    """Raise UserError when train, val or test has no case."""
    for part in PARTS:
        if not fold.part(part):
            raise UserError(f"{fold.path} has no case in {part}: expected cases in each of {', '.join(PARTS)}")


def check_outcomes(fold: Fold) -> tuple[str, ...]:
    """Check what can be learned from the training cases, and return warnings.

    Raises UserError when there is one class only, a class of 0..C-1 is missing in train (cls), train has no event, or a
    bin lies outside 0..n_outputs-1 (surv). A bin that is missing in train is a warning.
    """
    return _check_labels(fold) if fold.task == "cls" else _check_survival(fold)


def check_patients(fold: Fold, allow_overlap: bool) -> tuple[str, ...]:
    """Check that no patient is in two of train, val and test.

    An overlap is a UserError with the count per pair of parts and the first ids, or with `allow_overlap` a warning that
    says the same.
    """
    shared = {pair: _shared_patients(fold.part(pair[0]), fold.part(pair[1])) for pair in combinations(PARTS, 2)}
    found = [f"{len(ids)} in {a} and {b} ({first_ids(ids)})" for (a, b), ids in shared.items() if ids]
    if not found:
        return ()
    message = f"patients are in two parts of {fold.path}: {'; '.join(found)}"
    if not allow_overlap:
        raise UserError(f"{message}; split by patient, or pass --allow_patient_overlap to report inflated results")
    return (message,)


def check_letter_case(fold: Fold) -> tuple[str, ...]:
    """Return a warning where ids of two slides differ in letter case alone, which some disks do not tell apart."""
    spelled: dict[str, str] = {}
    for slide_id in fold.slides():
        first = spelled.setdefault(slide_id.casefold(), slide_id)
        if first != slide_id:
            return (
                f"slides {first} and {slide_id} of {fold.path} differ in letter case only: on a disk that ignores it "
                "(macOS, Windows) the files of one would replace those of the other; rename one of them there",
            )
    return ()


def check_patients_named(slide_ids: Sequence[str]) -> tuple[str, ...]:
    """Return a warning where no id of a split without case ids shows a patient; the same sentence for all its folds."""
    if any(patient_of(slide_id) != slide_id for slide_id in slide_ids):
        return ()
    return (
        "every slide counts as a patient of its own, since the split files have no case_id columns and the slide ids "
        "show no patient; if patients have several slides, add these columns",
    )


def _check_labels(fold: Fold) -> tuple[str, ...]:
    everywhere = {case.label for part in PARTS for case in fold.part(part)}
    in_train = {case.label for case in fold.train}
    if len(everywhere) == 1:
        raise UserError(f"{fold.path} has one class only (label {everywhere.pop()}): expected two or more")
    missing = [str(label) for label in range(fold.n_outputs) if label not in in_train]
    if missing:
        raise UserError(
            f"no training case of {fold.path} has label {first_ids(missing)}: expected every class of "
            f"0..{fold.n_outputs - 1} in train (labels begin at 0; the largest of the file is {fold.n_outputs - 1})"
        )
    return ()


def check_events(fold: Fold) -> None:
    """Raise UserError when every training case is censored."""
    if all(case.censored == 1 for case in fold.train):
        raise UserError(
            f"there are no events among the {counted(len(fold.train), 'training case')} of {fold.path}: expected some "
            "with censorship 0 (1 = censored, 0 = event)"
        )


def _check_survival(fold: Fold) -> tuple[str, ...]:
    check_events(fold)
    outside = [(part, case) for part in PARTS for case in fold.part(part) if not 0 <= (case.bin or 0) < fold.n_outputs]
    if outside:
        part, case = outside[0]
        largest = max(case.bin or 0 for _, case in outside)
        remedy = f"pass --n_bins {largest + 1}" if fold.n_outputs <= largest < MOST_BINS else "correct it"
        raise UserError(
            f"case {case.case_id} has bin {case.bin} in column {part}_disc_label of {fold.path}: expected "
            f"0..{fold.n_outputs - 1}; {remedy}"
        )
    in_train = {case.bin for case in fold.train}
    missing = [str(index) for index in range(fold.n_outputs) if index not in in_train]
    if not missing:
        return ()
    return (f"no training case of {fold.path} is in time bin {', '.join(missing)} of 0..{fold.n_outputs - 1}",)


def _patient(case: Case) -> str:
    """The patient by whom a case is counted: a barcode among its ids where there is one, else the case id."""
    for identifier in (case.case_id, *case.slide_ids):
        if patient_of(identifier) != identifier:
            return patient_of(identifier)
    return case.case_id


def _shared_patients(first: Sequence[Case], second: Sequence[Case]) -> list[str]:
    """Patients of `second` that are also in `first`, by case id or by the barcode of any of their ids."""
    known = {name for case in first for name in _names(case)}
    return sorted({_patient(case) for case in second if known & _names(case)})


def _names(case: Case) -> set[str]:
    return {case.case_id, *(patient_of(identifier) for identifier in (case.case_id, *case.slide_ids))}
