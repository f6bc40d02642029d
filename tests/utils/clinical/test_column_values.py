from __future__ import annotations

import numpy as np
import pytest

from utils.clinical.column_values import ColumnValues, read_columns
from utils.errors import UserError


def _read(*cells: str, is_categorical: bool = False) -> ColumnValues:
    return read_columns({"age": np.array(cells, dtype=object)}, ("age",) if is_categorical else ())["age"]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([""] * 5, "has a value for none of the 5 cases"),
        (["61", "62", "63", ">89", ""], "holds '>89' where 3 other cases have numbers"),
        ([f"word {index}" for index in range(21)], "has 21 different values, such as 'word 0', for 21 cases"),
        ([f"1961-02-{index:02}" for index in range(1, 10)] + ["1961-02-01"], "has 9 different values, such as '1961-"),
    ],
)
def test_columns_that_can_be_no_covariate_are_errors(cells: list[str], expected: str):
    with pytest.raises(UserError, match=f"column age {expected}"):
        _read(*cells)


@pytest.mark.parametrize("cell", ["inf", "-Infinity", "1e999", "1e200"])
@pytest.mark.parametrize("others", [("61", "62", "63"), ("61",), ("0", "0", "1")])
@pytest.mark.parametrize("is_categorical", [False, True])
def test_a_number_that_is_not_finite_is_an_error(cell: str, others: tuple[str, ...], is_categorical: bool):
    with pytest.raises(UserError, match=f"column age holds '{cell}' among numbers: expected finite numbers"):
        _read(*others, cell, is_categorical=is_categorical)


def test_inf_among_words_is_a_word():
    assert _read("sup", "inf", "sup", "").values.tolist() == ["sup", "inf", "sup", ""]


def test_spellings_that_differ_in_case_are_one_group_and_it_is_said():
    column = _read("F", "m", "M", "f", "f", "", "M", "unknown")
    assert column.values.tolist() == ["f", "M", "M", "f", "f", "", "M", "unknown"]
    assert column.notes == ("Column age: 'F' as 'f', 'm' as 'M', which differ in letter case only.",)
    assert _read("f", "m").notes == ()


def test_many_groups_of_several_cases_are_groups_though_some_are_single():
    cells = [*["a", "b", "c", "d"] * 4, "e", "f", "g", "h", "i"]
    assert _read(*cells).values.tolist() == cells


@pytest.mark.parametrize("code", ["-999", "-1", "999", "9999", "0", "-999.0"])
def test_a_number_that_stands_apart_may_mean_missing(code: str):
    ages = [str(age) for age in range(40, 80)]
    column = _read(*ages, code, "", code)
    assert column.is_number
    assert column.warnings == (
        f"Column age is {code} for 2 cases, far from all others (40 to 79): if that means that the value is missing, "
        f"add --missing {code}.",
    )
    assert _read(*ages, code).warnings == ()  # once is an outlier


@pytest.mark.parametrize(
    "cells",
    [
        ["40", *(str(age) for age in range(40, 80)), "79"],
        ["-1", "-1", "-2", "0", "1", "2"],  # a scale with a sign
        ["0", "0", "0", "1", "2", "3"],
        ["9", "9", "6", "7", "8", "8", "7", "7"],  # a Gleason score
        ["-1.5", "-1.5", "1", "2", "3", "1.5"],  # no code is a fraction
    ],
)
def test_ends_of_a_scale_are_no_codes(cells: list[str]):
    assert _read(*cells).warnings == ()
