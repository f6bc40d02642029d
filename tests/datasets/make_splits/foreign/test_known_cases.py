"""The cases behind the ids of a split."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets.folds.cases import Case
from datasets.make_splits.foreign.known_cases import KnownCases, LeftOut, left_out_notes
from datasets.make_splits.label_cases import LabelledCases
from utils.errors import UserError

WHERE = Path("splits_0.csv")
SURVIVAL = KnownCases(
    LabelledCases(
        (Case("P1", ("a", "b"), time=1.0, censored=0), Case("P2", ("c",), time=2.0, censored=1)),
        dropped=("TCGA-AA-0001-01Z", "x"),
        patients={"a": "P1", "b": "P1", "c": "P2", "TCGA-AA-0001-01Z": "TCGA-AA-0001", "x": "P9"},
    )
)
CLASSES = KnownCases(
    LabelledCases((Case("P1", ("a",), label=0), Case("P1", ("b",), label=1), Case("P2", ("c",), label=0)))
)


@pytest.mark.parametrize("ids", [["P1", "P2"], ["a", "b", "c"], ["p1", "C.svs"], ["b", "a", "P2"]])
def test_slides_and_patients_in_any_writing(ids: list[str]):
    cases, left_out = SURVIVAL.of(ids, WHERE, on_missing="error")
    assert [case.case_id for case in cases] == ["P1", "P2"]
    assert [sorted(case.slide_ids) for case in cases] == [["a", "b"], ["c"]]
    assert left_out == ([], [])


def test_a_survival_case_has_the_slides_that_are_named():
    (case,), _ = SURVIVAL.of(["b"], WHERE, on_missing="error")
    assert (case.slide_ids, case.time) == (("b",), 1.0)


def test_a_slide_is_a_case_in_classification():
    cases, _ = CLASSES.of(["P1"], WHERE, on_missing="error")
    assert [(case.case_id, case.slide_ids, case.label) for case in cases] == [("P1", ("a",), 0), ("P1", ("b",), 1)]


@pytest.mark.parametrize("identifier", ["x", "TCGA-AA-0001-01Z", "tcga-aa-0001", "P9"])
def test_ids_without_a_label_are_left_out(identifier: str):
    cases, left_out = SURVIVAL.of([identifier, "P2"], WHERE, on_missing="error")
    assert [case.case_id for case in cases] == ["P2"]
    assert left_out == ([identifier], [])


def test_a_patient_who_has_the_name_of_a_slide():
    labelled = LabelledCases((Case("A", ("A", "A_2"), time=1.0, censored=0),))
    for of_patients, slides in ((True, ("A", "A_2")), (False, ("A",))):
        (case,), _ = KnownCases(labelled, of_patients=of_patients).of(["a"], WHERE, on_missing="error")
        assert case.slide_ids == slides
    (case,), _ = KnownCases(labelled, of_patients=True).of(["A_2"], WHERE, on_missing="error")
    assert case.slide_ids == ("A_2",)


def test_numbers_to_which_pandas_has_given_decimals():
    known = KnownCases(LabelledCases((Case("7", ("12",), label=0), Case("8", ("13",), label=1))))
    cases, left_out = known.of(["12.0", "8.0"], WHERE, on_missing="error")
    assert [case.slide_ids for case in cases] == [("12",), ("13",)]
    assert left_out == ([], [])


def test_unknown_ids():
    with pytest.raises(UserError, match=r"1 id of 2 in splits_0\.csv is not in the label table \(P3\)"):
        SURVIVAL.of(["P3", "P2"], WHERE, on_missing="error")
    cases, left_out = SURVIVAL.of(["P3", "P2"], WHERE, on_missing="drop")
    assert [case.case_id for case in cases] == ["P2"]
    assert left_out == ([], ["P3"])


def test_what_was_left_out_of_all_parts_is_said_once():
    parts = [LeftOut(["x"], ["P3"]), LeftOut(["y"], []), LeftOut(["x"], ["P3"])]
    assert left_out_notes(parts, Path("in")) == (
        "left out 2 ids of the splits in in without a label: x, y",
        "left out 1 id of the splits in in that the label table does not have: P3",
    )
    assert left_out_notes([LeftOut([], [])], Path("in")) == ()


@pytest.mark.parametrize("ids", [["a", "a"], ["P1", "a"], ["P2", "p2"]])
def test_a_slide_twice(ids: list[str]):
    with pytest.raises(UserError, match=r"slide [ac] is twice in one part of splits_0\.csv"):
        SURVIVAL.of(ids, WHERE, on_missing="error")
