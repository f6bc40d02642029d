from __future__ import annotations

import math

import numpy as np
import pytest

from utils.statistics.efron import EfronLikelihood


def _value(event: np.ndarray, time: np.ndarray, x: np.ndarray, codes: np.ndarray, b: np.ndarray) -> float:
    """The equation of the docstring, case by case."""
    total = 0.0
    for stratum in set(codes):
        cases = [i for i in range(len(x)) if codes[i] == stratum]
        for at in {time[i] for i in cases if event[i]}:
            deaths = [i for i in cases if time[i] == at and event[i]]
            at_risk = sum(math.exp(b @ x[i]) for i in cases if time[i] >= at)
            dying = sum(math.exp(b @ x[i]) for i in deaths)
            total += sum(b @ x[i] for i in deaths)
            total -= sum(math.log(at_risk - number / len(deaths) * dying) for number in range(len(deaths)))
    return total


@pytest.mark.parametrize("seed", range(4))
def test_value_gradient_and_information_follow_the_equation(seed: int):
    rng = np.random.default_rng(seed)
    event, time = rng.random(30) < 0.6, np.ceil(rng.exponential(5, 30))  # months: tied deaths
    x, codes, b = rng.normal(size=(30, 3)), rng.integers(0, 3, 30), rng.normal(size=3)
    likelihood = EfronLikelihood(event, time, x, codes)
    value, score, information = likelihood.derivatives(b)
    assert value == pytest.approx(_value(event, time, x, codes, b), rel=1e-12)
    assert likelihood.value(b) == pytest.approx(value, rel=1e-12)
    step = 1e-5
    for index, towards in enumerate(np.eye(3)):
        up, down = b + step * towards, b - step * towards
        slope = (_value(event, time, x, codes, up) - _value(event, time, x, codes, down)) / (2 * step)
        assert score[index] == pytest.approx(slope, rel=1e-6, abs=1e-7)
        bend = (likelihood.derivatives(up)[1] - likelihood.derivatives(down)[1]) / (2 * step)
        np.testing.assert_allclose(-bend, information[index], rtol=1e-6, atol=1e-7)


def test_an_early_case_with_a_hazard_beyond_floating_point_numbers_leaves_the_later_ones_as_they_are():
    """Deaths with the log hazards 600 b, 0 and b: the first one is certain, then `-log(1 + e^b)`."""
    event, time, x = np.ones(3, bool), np.array([1.0, 2, 3]), np.array([[600.0], [0.0], [1.0]])
    likelihood = EfronLikelihood(event, time, x, np.zeros(3))
    for b in (1.0, 2.0, 500.0):
        value, score, information = likelihood.derivatives(np.full(1, b))
        assert value == likelihood.value(np.full(1, b)) == pytest.approx(-np.logaddexp(0, b))
        assert score[0] == pytest.approx(-1 / (1 + math.exp(-b)))
        assert information[0, 0] == pytest.approx(math.exp(-b) / (1 + math.exp(-b)) ** 2, abs=1e-9)  # 600^2 cancels


def test_tied_deaths_of_far_apart_hazards():
    """At 1 month deaths with the log hazards 800 and 0, at 2 months one with 1.

    The first death is certain. At the second, half of either is left, of which `e^800 / 2` is all: 0 - (800 - log 2).
    """
    event, time, x = np.ones(3, bool), np.array([1.0, 1, 2]), np.array([[800.0], [0.0], [1.0]])
    likelihood = EfronLikelihood(event, time, x, np.zeros(3))
    assert likelihood.value(np.ones(1)) == pytest.approx(-800 + math.log(2))


def test_reach_is_within_a_stratum():
    event, time, x = np.ones(4, bool), np.ones(4), np.array([[1.0], [2.0], [10.0], [13.0]])
    assert EfronLikelihood(event, time, x, np.array([0, 0, 1, 1])).reach(np.array([0.5])) == 1.5
