from __future__ import annotations

import numpy as np
import pytest

from utils.statistics.holm import holm


def test_a_hand_worked_table():
    # sorted   0.01  0.02  0.03  0.04
    # factor      4     3     2     1
    # product  0.04  0.06  0.06  0.04  and never below the one before: the last is 0.06.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])


def test_ties_share_the_larger_product():
    # sorted 0.01 0.02 0.02 0.5, factors 4 3 2 1: 0.04 0.06 0.04 0.5, then 0.04 0.06 0.06 0.5.
    assert holm([0.02, 0.5, 0.01, 0.02]) == pytest.approx([0.06, 0.5, 0.04, 0.06])
    assert holm([0.2, 0.2, 0.2]) == pytest.approx([0.6, 0.6, 0.6])


def test_values_are_capped_at_one():
    assert holm([0.5, 0.9, 0.4]) == [1.0, 1.0, 1.0]
    assert holm([1.0, 0.0]) == [1.0, 0.0]


def test_none_stays_and_does_not_count():
    assert holm([None, 0.03, None, 0.01]) == [None, pytest.approx(0.03), None, pytest.approx(0.02)]
    assert holm([None]) == [None]
    assert holm([]) == []


def test_one_comparison_needs_no_correction():
    assert holm([0.037]) == [0.037]


@pytest.mark.parametrize("seed", range(5))
def test_rejections_are_those_of_the_step_down_procedure(seed: int):
    """The procedure: reject the smallest p values one by one, as long as p <= alpha / (hypotheses left)."""
    p = np.random.default_rng(seed).random(8) ** 3
    adjusted = np.array(holm(p.tolist()))
    order = np.argsort(p)
    assert (np.diff(adjusted[order]) >= 0).all()
    for alpha in (0.01, 0.05, 0.2, 0.7):
        rejected = np.zeros(8, dtype=bool)
        for left, index in zip(range(8, 0, -1), order, strict=True):
            if p[index] > alpha / left:
                break
            rejected[index] = True
        np.testing.assert_array_equal(adjusted <= alpha, rejected)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_what_is_no_p_value_is_refused(value: float):
    with pytest.raises(ValueError, match=f"p value 1: expected a number from 0 to 1, got {value}"):
        holm([0.5, value])
