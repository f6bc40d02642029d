from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.folds.cases import Case
from datasets.make_splits.patient_strata import by_patient, class_strata, survival_strata
from utils.errors import UserError


def patients(*labels: tuple[int, ...]) -> dict[str, tuple[Case, ...]]:
    cases = [
        Case(f"P{i:03d}", (f"s{i}_{j}",), label=label)
        for i, group in enumerate(labels)
        for j, label in enumerate(group)
    ]
    return by_patient(cases[::-1])


def test_patients_are_sorted_with_all_their_cases():
    grouped = patients((0,), (1, 0))
    assert list(grouped) == ["P000", "P001"]
    assert sorted(case.slide_ids[0] for case in grouped["P001"]) == ["s1_0", "s1_1"]


def test_the_commonest_class_of_the_slides_and_the_smallest_on_a_tie():
    groups = [(0,), (1,), (2,), (2, 1, 2), (2, 1), (1, 0, 2), (1, 1, 0)] + [(0,), (1,), (2,)] * 4
    strata = class_strata(patients(*groups), {"a": 0, "b": 1, "c": 2}, 4)
    assert strata.of_patient.tolist()[:7] == [0, 1, 2, 2, 1, 0, 1]
    assert strata.notes == (
        "patients with slides of two classes or more: 4, stratified by the class of most of their slides",
    )
    assert class_strata(patients(*[(0,), (1,)] * 4), {"a": 0, "b": 1}, 4).notes == ()


def test_a_class_of_too_few_patients_is_refused():
    with pytest.raises(UserError, match=r"class 'b' has 3 of 8 patients .*too few for 4 folds"):
        class_strata(patients(*[(0,)] * 5, *[(1, 1)] * 3), {"a": 0, "b": 1}, 4)
    with pytest.raises(UserError, match=r"class 'b' has 0 of 5 patients"):
        class_strata(patients(*[(0, 0, 1)] * 5), {"a": 0, "b": 1}, 4)


def test_quartiles_of_deaths_and_of_censored_times_by_hand():
    # 16 deaths at 1..16: quartiles 4.75, 8.5, 12.25. 16 censored at 20, 30, ..., 170: 57.5, 95, 132.5.
    time = [*range(16, 0, -1), *range(20, 180, 10)]
    strata = survival_strata(time, [1] * 16 + [0] * 16, 2)
    assert strata.of_patient.tolist() == np.repeat([3, 2, 1, 0, 4, 5, 6, 7], 4).tolist()
    assert strata.notes == ()


def test_small_quartiles_are_merged_to_halves_and_then_by_status():
    # Halves of 7 deaths: 3 below the median 4, and 4; 2 x 2 folds need 4 in each, so one stratum. 9 censored: halves.
    time = [1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    strata = survival_strata(time, [True] * 7 + [False] * 9, 2)
    assert strata.of_patient.tolist() == [0] * 7 + [1] * 4 + [2] * 5
    assert strata.notes == (
        "the 7 patients with an event have too small or tied quartiles for 2 folds: stratified by status alone",
        "the 9 patients censored have too small or tied quartiles for 2 folds: stratified into 2 groups of time",
    )


def test_tied_times_stay_together():
    strata = survival_strata([5.0] * 20 + [9.0] * 20, [1] * 40, 4)
    assert strata.of_patient.tolist() == [0] * 20 + [1] * 20
    # The first quartile of these 20 deaths is 4 months, the time of three: 3 are below it, and 4 are needed.
    halves = survival_strata([1, 2, 3, 4, 4, *range(4, 19)], [1] * 20, 2)
    assert halves.of_patient.tolist() == [0] * 10 + [1] * 10
    assert "40 patients with an event have too small or tied quartiles" in strata.notes[0]
    same = survival_strata([5.0] * 40, [1] * 40, 4)
    assert set(same.of_patient.tolist()) == {0}
    assert same.notes[0].endswith("stratified by status alone")


def test_few_censored_patients_join_the_deaths_of_their_time():
    time = np.concatenate([np.arange(1, 33), [1.5, 40.0]])
    strata = survival_strata(time, np.arange(34) < 32, 4)
    assert strata.of_patient.tolist() == [0] * 8 + [1] * 8 + [2] * 8 + [3] * 8 + [0, 3]
    assert strata.notes == ("2 censored patients are too few for 4 folds: stratified by time alone",)


def test_too_few_events_are_refused():
    with pytest.raises(UserError, match=r"3 of 53 patients have an event, too few for 4 folds .*censorship as event\?"):
        survival_strata(np.arange(53), np.arange(53) < 3, 4)


@settings(deadline=None, max_examples=40, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 60), st.booleans()), min_size=20, max_size=120), st.integers(2, 5))
def test_strata_order_times_within_a_status_and_are_large_enough(cohort: list[tuple[int, bool]], n_folds: int):
    time, event = np.array([t for t, _ in cohort]), np.array([e for _, e in cohort])
    fewest = max(n_folds, 4 if n_folds == 2 else 3)
    if event.sum() < fewest:
        with pytest.raises(UserError, match="have an event, too few"):
            survival_strata(time, event, n_folds)
        return
    strata = survival_strata(time, event, n_folds).of_patient
    assert set(strata) == set(range(strata.max() + 1))
    assert np.bincount(strata).min() >= fewest
    for status in (True, False):
        ranges = [(time[(strata == s) & (event == status)]) for s in np.unique(strata[event == status])]
        assert all(a.max() < b.min() for a, b in pairwise(ranges))
        if len(ranges) > 1 and (status or (~event).sum() >= fewest):
            assert min(map(len, ranges)) >= 2 * n_folds
    if (~event).sum() >= fewest:
        assert not set(strata[event]) & set(strata[~event])
    distinct = len(set(time[event])) == event.sum()
    if distinct and event.sum() >= 8 * n_folds + 4:  # then the quartiles are those of pandas, closed on the other side
        quartile = 3 - pd.qcut(-time[event], 4, labels=False)
        np.testing.assert_array_equal(strata[event], quartile)
