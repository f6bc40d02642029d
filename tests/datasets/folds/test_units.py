from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from datasets.folds.cases import Case, Fold
from datasets.folds.units import join_slides, patients_as_bags
from utils.errors import UserError


def slides(*rows: tuple[str, str, int]) -> tuple[Case, ...]:
    """Cases of (patient, slide, label)."""
    return tuple(Case(patient, (slide,), label=label) for patient, slide, label in rows)


TRAIN = slides(("P2", "b1", 1), ("P1", "a1", 0), ("P2", "b2", 1), ("P3", "c1", 0), ("P2", "b3", 1))
FOLD = Fold(
    2, Path("splits/fold2.csv"), "cls", 2, TRAIN, slides(("P4", "d", 1)), slides(("P5", "e2", 0), ("P5", "e1", 0)),
    warnings=("said before",), class_names=("benign", "malignant"),
)  # fmt: skip


def test_patients_with_all_their_slides_in_the_order_of_first_appearance():
    fold = patients_as_bags(FOLD)
    assert fold.train == (
        Case("P2", ("b1", "b2", "b3"), label=1), Case("P1", ("a1",), label=0), Case("P3", ("c1",), label=0),
    )  # fmt: skip
    assert fold.val == (Case("P4", ("d",), label=1),)
    assert fold.test == (Case("P5", ("e2", "e1"), label=0),)
    # All slides are still there, and all else of the fold.
    assert sorted(fold.slides()) == sorted(FOLD.slides())
    parts = {"train": (), "val": (), "test": ()}
    assert replace(fold, **parts) == replace(FOLD, **parts)
    assert patients_as_bags(fold) == fold


def test_a_patient_in_two_parts_is_a_bag_in_each():
    """Only with `--allow_patient_overlap`: no slide moves to another part."""
    fold = patients_as_bags(replace(FOLD, test=slides(("P2", "b4", 1))))
    assert fold.test == (Case("P2", ("b4",), label=1),)
    assert fold.train[0].slide_ids == ("b1", "b2", "b3")


def test_patients_with_slides_of_different_classes_are_counted_and_the_first_ones_named():
    rows = [(f"P{number}", f"s{number}{copy}", copy) for number in range(7) for copy in (1, 0)]
    cases = slides(("P9", "t1", 2), ("P9", "t2", 2), *rows, ("P0", "u", 2))
    fold = replace(FOLD, train=cases[:4], val=cases[4:8], test=cases[8:], class_names=None)
    with pytest.raises(UserError) as caught:
        patients_as_bags(fold)
    assert str(caught.value) == (
        "7 of 8 patients have slides of different classes in splits/fold2.csv (P0 of 0, 1 and 2, P1 of 0 and "
        "1, P2 of 0 and 1, P3 of 0 and 1, P4 of 0 and 1, ...), where --unit patient expects one class of a patient: "
        "correct the labels, or classify slides with --unit slide"
    )


def test_classes_are_named_where_they_have_names():
    with pytest.raises(UserError, match=r"^1 of 5 patients has slides .* \(P3 of 'benign' and 'malignant'\), where"):
        patients_as_bags(replace(FOLD, train=(*TRAIN, *slides(("P3", "c2", 1)))))


def test_a_label_that_only_some_slides_have_is_the_patients():
    """Slides of another cohort, which are predicted with or without labels."""
    cases = (Case("P1", ("a",)), Case("P2", ("b",)), Case("P1", ("c",), label=1))
    assert join_slides(cases, Path("labels.csv")) == (Case("P1", ("a", "c"), label=1), Case("P2", ("b",)))


def test_a_survival_fold_has_patients_already():
    with pytest.raises(ValueError, match="expected a classification fold, got task surv"):
        patients_as_bags(replace(FOLD, task="surv"))
