from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datasets.folds.cases import Case, Fold
from datasets.folds.split_report import count_part, format_counts, median_follow_up, outcome_warnings


def survival(case_id: str, time: float, censored: int, n_slides: int = 1) -> Case:
    return Case(case_id, tuple(f"{case_id}_{j}" for j in range(n_slides)), time=time, censored=censored, bin=0)


def fold(*censored: list[int], index: int = 0) -> Fold:
    parts = [tuple(survival(f"{p}{i}", i + 1.0, c) for i, c in enumerate(part)) for p, part in enumerate(censored)]
    return Fold(index, Path(f"fold{index}.csv"), "surv", 4, *parts)


def test_median_follow_up_of_hand_worked_tables():
    # Censored at 2 and 4, deaths at 1 and 3: G = 2/3 from 2 (three under observation), 0 from 4.
    assert median_follow_up([1, 2, 3, 4], [0, 1, 0, 1]) == 4.0
    # Censored at 1, 2, 3, 4: 3/4, 1/2: reached where one half is met, not only passed.
    assert median_follow_up([4, 2, 3, 1], [1, 1, 1, 1]) == 2.0
    # A death at the time of a censoring comes first: at 5 one of two is under observation still, so G = 0 from 5.
    assert median_follow_up([5, 5], [0, 1]) == 5.0
    assert median_follow_up([7], [1]) == 7.0
    # The longest observed die: G stays at 4/5.
    assert median_follow_up([1, 2, 3, 4, 5], [1, 0, 0, 0, 0]) is None
    assert median_follow_up([1.0, 2.0], [0, 0]) is None


@pytest.mark.parametrize("seed", range(10))
def test_median_follow_up_equals_its_formula(seed: int):
    rng = np.random.default_rng(seed)
    time, censored = rng.integers(0, 12, 25).astype(float), rng.random(25) < 0.5
    height, expected = 1.0, None
    for t in np.unique(time[censored]):
        ended = ((time == t) & censored).sum()
        height *= 1 - ended / ((time > t).sum() + ended)
        if expected is None and height <= 0.5 + 1e-9:
            expected = t
    assert median_follow_up(time, censored) == expected


def test_counts_of_a_part():
    cases = [survival("P1", 3, 0, 2), survival("P2", 8, 1), survival("P3", 9, 1)]
    assert count_part(cases, {}) == {"cases": 3, "slides": 4, "events": 1, "median_follow_up_months": 8.0}
    slides = [Case("P1", ("a",), label=1), Case("P1", ("b",), label=1), Case("P2", ("c",), label=0)]
    assert count_part(slides, {"x": 0, "y": 1, "z": 2}) == {
        "cases": 2,
        "slides": 3,
        "slides_per_class": {"x": 1, "y": 2, "z": 0},
    }
    patients = [Case("P1", ("a", "b"), label=1), Case("P2", ("c",), label=0)]
    assert count_part(patients, {"x": 0, "y": 1, "z": 2}) == count_part(slides, {"x": 0, "y": 1, "z": 2})


def test_the_table_of_classes():
    part = {"cases": 2, "slides": 13, "slides_per_class": {"IDC": 10, "ILC": 3}}
    assert format_counts({0: {"train": part, "val": part}, 10: {"test": part}}).splitlines() == [
        "fold  part   cases  slides  slides of IDC  slides of ILC",
        "   0  train      2      13             10              3",
        "   0  val        2      13             10              3",
        "  10  test       2      13             10              3",
    ]


@pytest.mark.parametrize(("n_events", "warned"), [(4, True), (5, False), (95, False), (96, True)])
def test_a_status_that_looks_turned_round(n_events: int, warned: bool):
    censored = [0] * n_events + [1] * (100 - n_events)
    spread = fold(censored[0::3], censored[1::3], censored[2::3])
    found = outcome_warnings([spread])
    assert any("did you pass censorship as event?" in warning for warning in found) == warned
    if warned:
        assert found[0].startswith(f"{n_events} of 100 cases ({n_events}.0%) have an event")


def test_a_part_without_events():
    found = outcome_warnings([fold([0, 1], [0, 1], [0]), fold([0, 1], [1], [1, 1], index=3)])
    assert found == ("fold3.csv has no event in val and test: its C-index will be undefined there",)
