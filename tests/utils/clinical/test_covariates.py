from __future__ import annotations

import numpy as np
import pytest

from utils.clinical.column_values import read_columns
from utils.clinical.covariates import Design, design_of
from utils.errors import UserError


def _texts(*cells: str) -> np.ndarray:
    return np.array(cells, dtype=object)


def _design(
    texts: dict[str, np.ndarray], outcome: np.ndarray, categorical: tuple[str, ...] = (), *, is_survival: bool = True
) -> Design:
    return design_of(read_columns(texts, categorical), outcome, is_survival=is_survival)


OUTCOME = np.array([1, 1, 0, 0] * 5, dtype=bool)


def test_numbers_are_per_standard_deviation():
    ages = _texts(*(str(50 + index) for index in range(20)))
    (age,) = _design({"age": ages}, OUTCOME).covariates
    assert age.is_number
    assert (age.mean, age.deviation) == (59.5, pytest.approx(np.arange(20).std()))
    assert age.columns.mean() == pytest.approx(0)
    assert age.columns.std() == pytest.approx(1)
    assert age.terms == ("age, per SD (5.77)",)


def test_groups_are_compared_with_the_most_frequent_one():
    stage = _texts(*["III"] * 5, *["I"] * 5, *["II"] * 10)
    design = _design({"stage": stage}, OUTCOME)
    (found,) = design.covariates
    assert found.levels == ("II", "I", "III")
    assert found.terms == ("stage I vs II", "stage III vs II")
    assert found.columns[[0, 5, 10]].tolist() == [[0, 1], [1, 0], [0, 0]]
    assert design.notes == ("Column stage: groups 'II', 'I', 'III', each compared with 'II'.",)


def test_two_numbers_or_numbers_that_are_named_are_groups():
    binary, grade = _texts(*["0", "1.0"] * 10), _texts(*["1", "2", "3", "2", "2", "2", "3", "1", "3", "1"] * 2)
    design = _design({"b": binary, "grade": grade}, OUTCOME, ("grade",))
    assert [one.is_number for one in design.covariates] == [False, False]
    assert [one.levels for one in design.covariates] == [("0", "1"), ("2", "1", "3")]
    (as_number,) = _design({"grade": grade}, OUTCOME).covariates
    assert as_number.is_number


def test_small_groups_and_those_without_a_death_are_left_out_and_named():
    stage = _texts(*["X"] * 4, *["I"] * 8, *["II"] * 8)
    sex = _texts(*["f"] * 10, *["m"] * 10)
    outcome = np.array([1, 0] * 6 + [0] * 8, dtype=bool)  # none of II died
    with pytest.raises(
        UserError, match=r"column stage .* without 'II' \(0 of 8 cases with the outcome\), 'X' \(4 cases\)"
    ):
        _design({"stage": stage, "sex": sex}, outcome)
    outcome[12:16] = True
    design = _design({"stage": stage, "sex": sex}, outcome)
    assert design.rare == {"stage": {"X": (4, 2)}}
    assert design.kept.sum() == 16
    assert "Left out of the models: 4 cases of stage 'X' (fewer than 5)." in design.notes[-1]


def test_a_group_of_one_class_is_left_out_of_classification_alone():
    stage = _texts(*["a"] * 6, *["b"] * 7, *["c"] * 7)
    outcome = np.array([1] * 6 + [1, 0] * 7, dtype=bool)
    of_classes = _design({"stage": stage}, outcome, is_survival=False)
    assert of_classes.rare == {"stage": {"a": (6, 6)}}
    assert "6 of 6 with the outcome, so no estimate" in of_classes.notes[-1]
    assert _design({"stage": stage}, outcome).rare == {}


def test_only_cases_with_all_values_are_kept():
    ages = _texts("", *(str(index) for index in range(19)))
    sex = _texts(*["f", "m"] * 9, "f", "")
    design = _design({"age": ages, "sex": sex}, OUTCOME)
    assert design.kept.tolist() == [False, *[True] * 18, False]
    assert design.columns.shape == (18, 2)


def test_a_constant_column_and_no_case_in_common_are_errors():
    ages = _texts(*(str(index) for index in range(20)))
    with pytest.raises(UserError, match="column sex is 'f' for all 20 cases"):
        _design({"age": ages, "sex": _texts(*["f"] * 20)}, OUTCOME)
    ages, size = _texts(*["0.1"] * 7, *(str(index) for index in range(13))), _texts(*"1234567", *[""] * 13)
    with pytest.raises(UserError, match=r"column age is '0\.1' for all 7"):  # the deviation is 1e-17 by rounding
        _design({"age": ages, "size": size}, OUTCOME)
    half, other = _texts(*["1", "2", "3", "4", "5"] * 2, *[""] * 10), _texts(*[""] * 10, *["f", "m"] * 5)
    with pytest.raises(UserError, match="no case has a value in all of the columns age, sex"):
        _design({"age": half, "sex": other}, OUTCOME)


def test_a_column_of_small_groups_alone_is_named_with_them():
    """Whatever column comes first, the one that left no case is to blame."""
    ages, lab = _texts(*(str(index) for index in range(20))), _texts(*(f"lab {index // 3}" for index in range(20)))
    with pytest.raises(
        UserError, match=r"column lab has fewer than two .* without 'lab 0' .3 cases.* and 2 more: expected"
    ):
        _design({"age": ages, "lab": lab}, OUTCOME)
