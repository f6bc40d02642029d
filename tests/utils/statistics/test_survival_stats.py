from __future__ import annotations

import math

import numpy as np
import pytest

from utils.statistics.survival_stats import (
    UndefinedMetricError,
    concordance,
    kaplan_meier,
    logrank_p,
    n_at_risk,
    risk_halves,
    survival_at,
)


def _tied_cohort(seed: int, n_cases: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Few distinct times and risks, so that every kind of tie occurs."""
    rng = np.random.default_rng(seed)
    event = rng.random(n_cases) < 0.5
    return event, rng.integers(1, 6, n_cases).astype(float), rng.integers(0, 4, n_cases) / 4


def test_concordance_of_a_hand_worked_table_with_ties():
    # case  time  event  risk
    #  A     2     1     0.9
    #  B     2     0     0.9          censored when A died: comparable, and tied in risk
    #  C     4     1     0.5
    #  D     4     1     0.7          died when C did: not comparable with C
    #  E     5     0     0.5 + 5e-9   tied with C within 1e-8
    # A-B 1/2, A-C 1, A-D 1, A-E 1, C-E 1/2, D-E 1: 5 of 6. B and E are first in no pair.
    event, time = np.array([1, 0, 1, 1, 0]), np.array([2.0, 2, 4, 4, 5])
    assert concordance(event, time, np.array([0.9, 0.9, 0.5, 0.7, 0.5 + 5e-9])) == 5 / 6
    # Beyond the tolerance E is above C: A-B 1/2, A-C 1, A-D 1, A-E 1, C-E 0, D-E 1: 4.5 of 6.
    assert concordance(event, time, np.array([0.9, 0.9, 0.5, 0.7, 0.5 + 5e-8])) == 4.5 / 6


def test_a_higher_risk_means_an_earlier_death():
    event, time = np.ones(4), np.array([1.0, 2, 3, 4])
    assert concordance(event, time, -time) == 1.0
    assert concordance(event, time, time) == 0.0
    assert concordance(event, time, np.zeros(4)) == 0.5


@pytest.mark.parametrize(
    ("event", "time", "reason"),
    [
        ([0, 0, 0], [1, 2, 3], "no events"),
        ([1], [1], "no comparable pair"),
        ([1, 1, 1], [2, 2, 2], "no comparable pair"),
        ([0, 0, 1], [1, 2, 3], "no comparable pair"),
    ],
)
def test_concordance_without_a_comparable_pair_is_undefined(event: list, time: list, reason: str):
    risk = np.arange(len(event))
    with pytest.raises(UndefinedMetricError, match=reason):
        concordance(np.array(event), np.array(time), risk)


def test_a_case_censored_at_the_time_of_the_only_death_is_comparable():
    assert concordance(np.array([1, 0]), np.array([3, 3]), np.array([1, 0])) == 1.0


@pytest.mark.parametrize(
    ("event", "time", "risk", "message"),
    [
        (np.ones((3, 1)), np.ones(3), np.ones(3), r"event: expected shape \(n,\)"),
        (np.ones(0), np.ones(0), np.ones(0), "at least one case"),
        (np.ones(3), np.ones((3, 1)), np.ones(3), "time: expected the shape of event"),
        (np.ones(3), np.ones(3), np.ones((3, 1)), r"risk: expected shape \(3,\), got \(3, 1\)"),
        (np.array([1, 0, 2]), np.ones(3), np.ones(3), "event: expected only 1"),
        (np.array([1, 0, np.nan]), np.ones(3), np.ones(3), "event: expected only 1"),
        (np.ones(3), np.array([1, 2, np.nan]), np.ones(3), "time: expected finite"),
        (np.ones(3), np.array([1, 2, -1]), np.ones(3), "time: expected finite"),
        (np.ones(3), np.array([1, 2, 3]), np.array([1, 2, np.nan]), "risk: expected finite"),
    ],
)
def test_nonsense_is_refused(event: np.ndarray, time: np.ndarray, risk: np.ndarray, message: str):
    with pytest.raises(ValueError, match=message):
        concordance(event, time, risk)


@pytest.mark.parametrize(
    ("risk", "high"),
    [
        ([3, 1, 2], [1, 0, 1]),  # odd: the case at the median, 2, is high
        ([0.1, 0.4, 0.3, 0.2], [0, 1, 1, 0]),  # even: the median, 0.25, is between two cases
        ([1, 2, 2, 2, 5], [0, 1, 1, 1, 1]),  # every tie at the median, 2, is high
        ([1, 2, 2, 4], [0, 1, 1, 1]),
        ([0, 1, 1], [0, 1, 1]),  # no risk is above the median, 1
        ([-2, -1], [0, 1]),
    ],
)
def test_the_high_half_is_at_or_above_the_median(risk: list[float], high: list[int]):
    assert risk_halves(np.array(risk)).tolist() == [bool(one) for one in high]


def test_one_half_alone_is_undefined():
    for equal in (np.full(4, 0.5), np.array([0.5])):
        with pytest.raises(UndefinedMetricError, match="all risks equal"):
            risk_halves(equal)
    for lowest_at_the_median in ([1, 1, 1, 2], [1, 1, 2]):  # the median is 1: all are high
        with pytest.raises(UndefinedMetricError, match="no risk below the median risk"):
            risk_halves(np.array(lowest_at_the_median))
    with pytest.raises(ValueError, match="risk: expected shape"):
        risk_halves(np.ones((3, 1)))
    with pytest.raises(ValueError, match="risk: expected shape"):
        risk_halves(np.ones(0))


def test_logrank_of_a_hand_worked_table():
    # Group 1 dies at 1 and 3; the other group dies at 2 and is censored at 4.
    #  t   n  n_1  d   expected  variance d (n - d) n_1 (n - n_1) / (n^2 (n - 1))
    #  1   4   2   1     1/2       3 * 2 * 2 / (16 * 3) = 1/4
    #  2   3   1   1     1/3       2 * 1 * 2 / ( 9 * 2) = 2/9
    #  3   2   1   1     1/2       1 * 1 * 1 / ( 4 * 1) = 1/4
    # Observed 2, expected 4/3, variance 13/18: chi-squared (2/3)^2 / (13/18) = 8/13 with one degree of freedom.
    p = logrank_p(np.array([1, 1, 1, 0]), np.array([1, 3, 2, 4]), np.array([True, True, False, False]))
    assert p == pytest.approx(math.erfc(math.sqrt(8 / 13 / 2)), abs=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_logrank_equals_its_formula_and_is_undefined_exactly_where_its_variance_is_zero(seed: int):
    rng = np.random.default_rng(seed)
    event, time, group = rng.random(5) < 0.5, rng.integers(1, 4, 5).astype(float), rng.random(5) < 0.5
    difference, variance = 0.0, 0.0
    for t in np.unique(time[event]):
        n, n_1, d = (time >= t).sum(), (time[group] >= t).sum(), (event & (time == t)).sum()
        difference += (event & group & (time == t)).sum() - d * n_1 / n
        variance += d * (n - d) * n_1 * (n - n_1) / (n * n * (n - 1)) if n > 1 else 0.0
    if variance == 0:
        with pytest.raises(UndefinedMetricError):
            logrank_p(event, time, group)
    else:
        assert logrank_p(event, time, group) == pytest.approx(math.erfc(math.sqrt(difference**2 / variance / 2)))


@pytest.mark.parametrize(
    ("event", "time", "group", "reason"),
    [
        ([0, 0], [1, 2], [True, False], "no events"),
        ([1, 1], [1, 2], [True, True], "all cases are in one group"),
        ([1, 1], [1, 2], [False, False], "all cases are in one group"),
        ([0, 1], [1, 2], [True, False], "never at risk together"),
        ([1, 1], [2, 2], [True, False], "never at risk together at a death that someone survives"),
    ],
)
def test_undefined_logrank(event: list, time: list, group: list, reason: str):
    with pytest.raises(UndefinedMetricError, match=reason):
        logrank_p(np.array(event), np.array(time), np.array(group))


def test_logrank_refuses_a_group_that_is_not_boolean():
    with pytest.raises(ValueError, match="group: expected booleans"):
        logrank_p(np.ones(2), np.arange(2), np.array([0, 1]))
    with pytest.raises(ValueError, match="group: expected booleans"):
        logrank_p(np.ones(2), np.arange(2), np.array([[True], [False]]))


def test_kaplan_meier_of_a_hand_worked_table():
    # Deaths at 1, 3 and 4, censored at 2 and 4: S = 4/5 from 1, 4/5 * 2/3 from 3, that * 1/2 from 4 on.
    event, time = np.array([1, 0, 1, 1, 0]), np.array([1.0, 2, 3, 4, 4])
    curve = kaplan_meier(event, time)
    assert curve.time.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(curve.survival, [1, 4 / 5, 4 / 5, 8 / 15, 4 / 15], rtol=1e-12)
    # Limits at 1: variance of log S is 1 / (5 * 4), so S^exp(+-1.96 sigma / log S).
    spread = 1.959963984540054 * math.sqrt(1 / 20) / math.log(4 / 5)
    assert curve.low[1] == pytest.approx(0.8 ** math.exp(-spread), abs=1e-12)
    assert curve.high[1] == pytest.approx(0.8 ** math.exp(spread), abs=1e-12)
    assert (curve.low[0], curve.high[0]) == (1, 1)
    np.testing.assert_allclose(survival_at(curve, np.array([0.0, 0.5, 1, 3.5, 9])), [1, 1, 4 / 5, 8 / 15, 4 / 15])
    assert n_at_risk(time, np.array([0, 2, 2.5, 4, 5])).tolist() == [5, 4, 3, 2, 0]


def test_kaplan_meier_without_deaths_and_with_deaths_only():
    assert kaplan_meier(np.zeros(2), np.array([1.0, 2])).survival.tolist() == [1, 1, 1]
    curve = kaplan_meier(np.ones(2), np.array([0.0, 2]))
    assert curve.time.tolist() == [0, 0, 2]
    assert curve.survival.tolist() == [1, 0.5, 0]
    assert survival_at(curve, np.array([0.0])).tolist() == [0.5]
