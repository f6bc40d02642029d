"""A validation part out of the training patients."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.folds.cases import Case
from datasets.make_splits.foreign.validation_part import split_off
from utils.errors import UserError


def survival(n: int) -> list[Case]:
    return [Case(f"P{i}", (f"P{i}_a", f"P{i}_b"), time=float(i), censored=i % 2) for i in range(n)]


@given(st.integers(2, 60), st.floats(0.01, 0.99), st.integers(0, 5))
def test_every_case_is_in_one_part_and_both_hold_some(n: int, fraction: float, seed: int):
    cases = survival(n)
    train, val = split_off(cases, fraction, seed, fold=0)
    assert sorted([*train, *val], key=cases.index) == cases
    assert len(val) == min(max(round(fraction * n), 1), n - 1)


@given(st.integers(0, 50))
def test_classes_keep_their_shares_within_one_patient(seed: int):
    cases = [Case(f"P{i}", (f"s{i}",), label=int(i >= 30)) for i in range(40)]  # 30 of class 0, 10 of class 1
    _, val = split_off(cases, 0.2, seed, fold=0)
    assert abs(sum(case.label == 0 for case in val) - 6) <= 1


def test_patients_stay_together():
    cases = [Case(f"P{i // 3}", (f"s{i}",), label=i % 2) for i in range(30)]
    train, val = split_off(cases, 0.3, 0, fold=0)
    assert {case.case_id for case in train}.isdisjoint(case.case_id for case in val)
    assert len(val) == 9


def test_folds_and_seeds_draw_differently():
    cases = survival(30)
    drawn = {(seed, fold): tuple(split_off(cases, 0.3, seed, fold)[1]) for seed in (0, 1) for fold in (0, 1)}
    assert len(set(drawn.values())) == 4
    assert tuple(split_off(cases, 0.3, 1, 1)[1]) == drawn[1, 1]


def test_one_patient_makes_no_two_parts():
    with pytest.raises(UserError, match="the training part has 1 patient: expected two or more"):
        split_off(survival(1), 0.2, 0, fold=0)
