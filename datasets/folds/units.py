"""What a bag of a classification fold is: a slide, as split files have it, or a patient with all slides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from datasets.folds.cases import PARTS, Case, Fold
from datasets.folds.fold_checks import first_ids
from utils.errors import UserError
from utils.files.phrases import agreeing, counted, listed, quoted


def patients_as_bags(fold: Fold) -> Fold:
    """Return a classification fold whose cases are patients (`case_id`), each with all slides that a part has of it.

    Patients and their slides come in the order of first appearance; a fold whose patients are bags already stays as it
    is.

    Raises:
        UserError: patients whose slides have different labels; the first ones are named and all are counted.
        ValueError: for a survival fold, whose cases are patients as they are read.

    >>> slides = (Case("P1", ("a",), label=1), Case("P2", ("b",), label=0), Case("P1", ("c",), label=1))
    >>> [(case.case_id, case.slide_ids) for case in join_slides(slides, Path("fold0.csv"))]
    [('P1', ('a', 'c')), ('P2', ('b',))]
    """
    if fold.task != "cls":
        raise ValueError(f"expected a classification fold, got task {fold.task}")
    _check_one_class([case for part in PARTS for case in fold.part(part)], fold.path, fold.class_names)
    train, val, test = (_joined(fold.part(part)) for part in PARTS)
    return replace(fold, train=train, val=val, test=test)


def join_slides(cases: Sequence[Case], path: Path, class_names: Sequence[str] | None = None) -> tuple[Case, ...]:
    """Return one case per patient with all slides of `cases`, and the label of the first one that has any.

    `path` is where the cases come from, and `class_names` are the names of the classes; both are for messages.

    Raises:
        UserError: as `patients_as_bags` does.
    """
    _check_one_class(cases, path, class_names)
    return _joined(cases)


def _joined(cases: Sequence[Case]) -> tuple[Case, ...]:
    patients: dict[str, Case] = {}
    for case in cases:
        first = patients.setdefault(case.case_id, case)
        if first is not case:
            label = case.label if first.label is None else first.label
            patients[case.case_id] = replace(first, slide_ids=first.slide_ids + case.slide_ids, label=label)
    return tuple(patients.values())


def _check_one_class(cases: Sequence[Case], path: Path, class_names: Sequence[str] | None) -> None:
    classes: dict[str, set[int]] = {}
    for case in cases:
        classes.setdefault(case.case_id, set()).update(() if case.label is None else (case.label,))
    torn = {patient: sorted(labels) for patient, labels in classes.items() if len(labels) > 1}
    if torn:
        words = quoted(class_names) if class_names else range(max(map(max, torn.values())) + 1)
        named = [f"{patient} of {listed([words[label] for label in labels])}" for patient, labels in torn.items()]
        have = agreeing(len(torn), "has", "have")
        raise UserError(
            f"{len(torn)} of {counted(len(classes), 'patient')} {have} slides of different classes in {path} "
            f"({first_ids(named)}), where --unit patient expects one class of a patient: correct the labels, or "
            "classify slides with --unit slide"
        )
