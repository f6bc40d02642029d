"""Which cases are explained, from tables small enough to read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from utils.errors import UserError
from utils.explain.chosen_cases import (
    CHOSEN,
    LEAST,
    MOST,
    ChosenCase,
    certainty,
    choose_by_certainty,
    choose_slides,
    read_cases,
    write_cases,
)
from utils.runs.predictions import classification_table, survival_table

CASES = ["A", "B", "C", "D"]
SLIDES = [["a1", "a2"], ["b"], ["c"], ["d"]]


def classification():
    prob = np.array([[0.9, 0.1], [0.45, 0.55], [0.3, 0.7], [0.5, 0.5]])
    return classification_table(CASES, SLIDES, np.array([0, 1, 1, 0]), prob)


def survival():
    risk = np.array([-3.0, -1.0, -1.5, -0.5])  # the median is -1.25
    return survival_table(CASES, SLIDES, np.arange(4.0), np.ones(4), np.zeros(4), risk, np.full((4, 2), 0.5))


def test_certainty_of_classes_is_the_highest_probability():
    assert certainty(classification()).tolist() == [0.9, 0.55, 0.7, 0.5]


def test_certainty_of_survival_is_the_distance_from_the_median_risk():
    assert certainty(survival()).tolist() == [1.75, 0.25, 0.25, 0.75]


def test_the_most_and_the_least_certain_cases_in_their_order():
    chosen = choose_by_certainty(classification(), 2)
    assert [(case.row, case.reason) for case in chosen] == [(0, MOST), (2, MOST), (3, LEAST), (1, LEAST)]
    assert chosen[0].slide_ids == ("a1", "a2")


@pytest.mark.parametrize(("n_each", "rows"), [(0, []), (3, [0, 2, 1, 3]), (9, [0, 2, 1, 3])])
def test_a_case_is_chosen_once(n_each: int, rows: list[int]):
    assert [case.row for case in choose_by_certainty(classification(), n_each)] == rows


def test_slides_are_chosen_with_the_case_they_belong_to():
    chosen = choose_slides(survival(), ["d", "a2", "of another fold"])
    assert chosen == [ChosenCase(0, ("a2",), CHOSEN), ChosenCase(3, ("d",), CHOSEN)]


def test_the_table_is_read_as_it_was_written(tmp_path: Path):
    path = tmp_path / "explain" / "cases.csv"
    write_cases(path, choose_by_certainty(survival(), 1), survival())
    table = read_cases(path)
    assert table.to_dict("list") == {
        "case_id": ["A", "C"],
        "slide_ids": ["a1;a2", "c"],
        "reason": [MOST, LEAST],
        "certainty": [1.75, 0.25],
    }


def test_a_later_call_keeps_what_it_does_not_make_again(tmp_path: Path):
    path, table = tmp_path / "cases.csv", survival()
    write_cases(path, choose_by_certainty(table, 1), table)  # A most, C least
    write_cases(path, choose_slides(table, ["d"]), table)
    write_cases(path, choose_slides(table, ["b", "c"]), table)  # c is now one that was asked for
    expected = {("a1;a2", MOST), ("b", CHOSEN), ("c", CHOSEN), ("d", CHOSEN)}
    assert {(row.slide_ids, row.reason) for row in read_cases(path).itertuples()} == expected
    write_cases(path, choose_by_certainty(table, 2), table)
    assert [row.slide_ids for row in read_cases(path).itertuples()] == ["a1;a2", "d", "c", "b"]


def test_no_case_leaves_a_table_without_rows(tmp_path: Path):
    write_cases(tmp_path / "cases.csv", [], survival())
    assert len(read_cases(tmp_path / "cases.csv")) == 0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "cannot be read"),
        ("", "expected the columns .*, found nothing"),
        ("case_id,slide_ids\nA,a\n", "expected the columns"),
        (
            "case_id,slide_ids,reason,certainty\nA,a,chosen,very\n",
            "column certainty, line 2: found 'very', expected a number",
        ),
    ],
)
def test_a_damaged_table_is_named(tmp_path: Path, text: str | None, problem: str):
    path = tmp_path / "cases.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=problem) as caught:
        read_cases(path)
    assert str(path) in str(caught.value)
