from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.util import Surv

from utils.statistics.survival_stats import UndefinedMetricError, logrank_p
from utils.statistics.univariate_cox import score_and_information, univariate_cox


def _log_likelihood(event: np.ndarray, time: np.ndarray, x: np.ndarray, b: float) -> float:
    """Efron's log partial likelihood, written out."""
    total = 0.0
    for at in sorted(set(time[event == 1])):
        deaths = [i for i in range(len(x)) if time[i] == at and event[i] == 1]
        at_risk = sum(math.exp(b * x[i]) for i in range(len(x)) if time[i] >= at)
        dying = sum(math.exp(b * x[i]) for i in deaths)
        for number in range(len(deaths)):
            total += b * sum(x[i] for i in deaths) / len(deaths)
            total -= math.log(at_risk - number / len(deaths) * dying)
    return total


def _information(event: np.ndarray, time: np.ndarray, x: np.ndarray, b: float) -> float:
    """`sum S2 / S0 - (S1 / S0)^2` with Efron's sums, case by case."""
    total = 0.0
    for at in sorted(set(time[event == 1])):
        n_deaths = sum(1 for i in range(len(x)) if time[i] == at and event[i] == 1)
        for number in range(n_deaths):
            sums = [0.0, 0.0, 0.0]
            for i in range(len(x)):
                if time[i] >= at:
                    weight = math.exp(b * x[i])
                    if time[i] == at and event[i] == 1:
                        weight *= 1 - number / n_deaths
                    for power in range(3):
                        sums[power] += weight * x[i] ** power
            total += sums[2] / sums[0] - (sums[1] / sums[0]) ** 2
    return total


def _cohort(seed: int, n_cases: int = 30, effect: float = 0.7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times in whole months, so that many deaths are tied."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n_cases)
    time = np.ceil(rng.exponential(8 * np.exp(-effect * x)))
    return (rng.random(n_cases) < 0.7).astype(int), time, (x - x.mean()) / x.std()


def test_a_hand_worked_table():
    """Deaths at 1, 2, 3 months with x = 1, 0, 1, and a case censored at 2 months with x = 0.

    At 1 month all four are at risk: b - log(2 e^b + 2). At 2 months cases 2, 3 and the censored one: -log(e^b + 2).
    At 3 months case 3 alone: 0. With r = e^b the slope is
    1 - r / (r + 1) - r / (r + 2) = (2 - r^2) / ((r + 1) (r + 2)), so r = sqrt(2). The
    information is r / (r + 1)^2 + 2 r / (r + 2)^2.
    """
    effect = univariate_cox(np.array([1, 1, 1, 0]), np.array([1.0, 2, 3, 2]), np.array([1.0, 0, 1, 0]))
    r = math.sqrt(2)
    information = r / (r + 1) ** 2 + 2 * r / (r + 2) ** 2
    assert effect.log_hazard == pytest.approx(math.log(2) / 2, abs=1e-9)
    assert effect.standard_error == pytest.approx(1 / math.sqrt(information), rel=1e-9)
    assert effect.low == pytest.approx(math.log(2) / 2 - 1.959964 / math.sqrt(information), rel=1e-6)
    assert effect.high == pytest.approx(math.log(2) / 2 + 1.959964 / math.sqrt(information), rel=1e-6)
    assert effect.p == pytest.approx(2 * norm.sf(math.log(2) / 2 * math.sqrt(information)), rel=1e-9)


def test_two_deaths_of_one_time_by_hand():
    """Deaths at 1 month with x = 1 and 0, alive: x = 1 and 0. r = e^b: b - log(2 r + 2) - log(1.5 r + 1.5): b = 0.

    Averages of x under the weights (1, 1, 1, 1) and (1/2, 1/2, 1, 1) are 1/2, their variances 1/4 each.
    """
    event, time, x = np.array([1, 1, 0, 0]), np.array([1.0, 1, 2, 2]), np.array([1.0, 0, 1, 0])
    effect = univariate_cox(event, time, x)
    assert effect.log_hazard == pytest.approx(np.log(1.0), abs=1e-9)
    assert effect.standard_error == pytest.approx(math.sqrt(2), rel=1e-9)
    assert effect.p == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_the_coefficient_is_the_maximum_and_its_error_the_curvature_there(seed: int):
    event, time, x = _cohort(seed)
    assert len(np.unique(time[event == 1])) < event.sum()  # tied deaths
    effect = univariate_cox(event, time, x)
    b, step = effect.log_hazard, 1e-3
    at = {offset: _log_likelihood(event, time, x, b + offset) for offset in (-0.1, -step, 0.0, step, 0.1)}
    assert at[0.0] > max(at[-0.1], at[0.1])
    assert (at[step] - at[-step]) / (2 * step) == pytest.approx(0, abs=1e-5)
    curvature = (2 * at[0.0] - at[step] - at[-step]) / step**2
    assert 1 / effect.standard_error**2 == pytest.approx(curvature, rel=1e-4)
    assert 1 / effect.standard_error**2 == pytest.approx(_information(event, time, x, b), rel=1e-10)
    limit = norm.ppf(0.975) * effect.standard_error
    assert (effect.low, effect.high) == pytest.approx((b - limit, b + limit))
    assert effect.p == pytest.approx(2 * norm.sf(abs(b) / effect.standard_error))


@pytest.mark.parametrize("b", [-1.3, 0.0, 0.4, 3.0])
def test_slope_and_information_away_from_the_maximum(b: float):
    event, time, x = _cohort(7)
    score, information = score_and_information(event == 1, time, x, b)
    step = 1e-4
    slope = (_log_likelihood(event, time, x, b + step) - _log_likelihood(event, time, x, b - step)) / (2 * step)
    assert score == pytest.approx(slope, rel=1e-5, abs=1e-6)
    assert information == pytest.approx(_information(event, time, x, b), rel=1e-10)


def test_without_ties_the_score_test_of_two_groups_is_the_log_rank_test():
    rng = np.random.default_rng(3)
    time, group = rng.exponential(10, 60), rng.random(60) < 0.5
    event = rng.random(60) < 0.8
    score, information = score_and_information(event, time, group.astype(float), 0.0)
    assert math.erfc(abs(score) / math.sqrt(2 * information)) == pytest.approx(logrank_p(event, time, group))


@pytest.mark.slow
def test_the_interval_covers_what_it_promises():
    """Exponential times with the log hazard ratio 0.5, censored at 12 months; 400 cohorts of 60."""
    rng, covered = np.random.default_rng(5), 0
    for _ in range(400):
        x = rng.normal(size=60)
        time = rng.exponential(8 * np.exp(-0.5 * x))
        effect = univariate_cox(time < 12, np.minimum(time, 12), x)
        covered += effect.low <= 0.5 <= effect.high
    assert 0.92 <= covered / 400 <= 0.98


def test_other_units_and_directions_change_the_coefficient_alone():
    event, time, x = _cohort(11)
    effect, wider, turned = (univariate_cox(event, time, c * x + 5) for c in (1.0, 0.1, -1.0))
    assert wider.log_hazard == pytest.approx(10 * effect.log_hazard, rel=1e-6)
    assert wider.p == pytest.approx(effect.p, rel=1e-5)
    assert (turned.low, turned.high) == pytest.approx((-effect.high, -effect.low), rel=1e-6)


@pytest.mark.parametrize(
    ("event", "x", "reason"),
    [
        ([0, 0, 0, 0], [1, 2, 3, 4], "no events"),
        ([1, 0, 1, 1], [2, 2, 2, 2], "constant"),
        ([0, 1, 1, 1], [9, 2, 2, 2], "constant"),  # the one that differs is gone before the first death
        ([0, 0, 0, 1], [1, 2, 3, 4], "constant"),  # the only death has nobody beside it
        ([1, 1, 0, 1], [4, 3, 1, 2], "highest value of those at risk"),
        ([1, 0, 0, 0], [1, 2, 3, 4], "lowest value of those at risk"),  # one death
        ([1, 1, 1, 1], [1, 1, 2, 2], "lowest value of those at risk"),
    ],
)
def test_what_has_no_maximum_is_undefined(event: list[int], x: list[float], reason: str):
    with pytest.raises(UndefinedMetricError, match=reason):
        univariate_cox(np.array(event), np.arange(1.0, 5.0), np.array(x))


def test_tied_deaths_run_away_only_if_each_has_the_highest_value():
    event, time = np.array([1, 1, 0, 0]), np.array([1.0, 1, 2, 2])
    with pytest.raises(UndefinedMetricError, match="highest"):
        univariate_cox(event, time, np.array([3.0, 3, 1, 2]))
    assert math.isfinite(univariate_cox(event, time, np.array([3.0, 2, 1, 2])).log_hazard)


@pytest.mark.parametrize("n_cases", [4, 5, 6])
def test_exactly_the_likelihoods_that_rise_to_the_end_are_refused(n_cases: int):
    """Against the likelihood itself, far out, over many small cohorts with ties in time and covariate."""
    rng = np.random.default_rng(n_cases)
    kinds = {"finite": 0, "undefined": 0}
    for _ in range(150):
        event, time = rng.integers(0, 2, n_cases), rng.integers(1, 4, n_cases).astype(float)
        x = rng.integers(0, 3, n_cases).astype(float)
        far = [_log_likelihood(event, time, x, b) for b in (-30.0, -29.0, -28.0, 28.0, 29.0, 30.0)]
        # At the end a slope is at least 1/2 (a difference of 1 shared by two tied deaths), or vanishes.
        falls_left, falls_right = far[0] < far[1] - 0.2, far[5] < far[4] - 0.2
        try:
            effect = univariate_cox(event, time, x)
        except UndefinedMetricError:
            kinds["undefined"] += 1
            assert not (falls_left and falls_right)
        else:
            kinds["finite"] += 1
            assert falls_left
            assert falls_right
            assert abs(effect.log_hazard) < 28
    assert min(kinds.values()) > 20


@pytest.mark.parametrize("seed", range(6))
def test_the_coefficient_is_that_of_scikit_survival(seed: int):
    event, time, x = _cohort(seed, n_cases=80)
    model = CoxPHSurvivalAnalysis(alpha=0, ties="efron", tol=1e-14).fit(x[:, None], Surv.from_arrays(event == 1, time))
    assert univariate_cox(event, time, x).log_hazard == pytest.approx(model.coef_[0], rel=1e-9)


@pytest.mark.parametrize(("n_cases", "swapped"), [(20, 0), (20, 1), (8, 6)])
def test_a_nearly_separated_cohort_that_newton_runs_over(n_cases: int, swapped: int):
    """All die in the order of x but for two: there is a maximum, yet scikit-survival's steps overflow."""
    x = np.linspace(1, 0, n_cases) ** 3
    x = (x - x.mean()) / x.std()
    event, time = np.ones(n_cases, dtype=int), np.arange(1.0, n_cases + 1)
    time[[swapped, swapped + 1]] = time[[swapped + 1, swapped]]
    with pytest.raises(RuntimeWarning):
        CoxPHSurvivalAnalysis(ties="efron").fit(x[:, None], Surv.from_arrays(event == 1, time))
    effect = univariate_cox(event, time, x)
    b, step = effect.log_hazard, 0.01 * effect.standard_error
    below, at, above = (_log_likelihood(event, time, x, b + offset) for offset in (-step, 0, step))
    assert at > max(below, above)
    assert 1 / effect.standard_error**2 == pytest.approx((2 * at - below - above) / step**2, rel=1e-3)
    assert 1 / effect.standard_error**2 == pytest.approx(_information(event, time, x, b), rel=1e-9)


def test_differences_too_small_to_compute_with_are_undefined():
    x = np.array([1.0, 1 + 1e-15, 1, 1 + 1e-15])
    with pytest.raises(UndefinedMetricError, match="did not converge"):
        univariate_cox(np.ones(4), np.arange(1.0, 5.0), x)


def test_nonsense_is_refused():
    event, time = np.array([1, 0]), np.array([1.0, 2.0])
    with pytest.raises(ValueError, match=r"covariate: expected the shape of event, \(2,\), got \(3,\)"):
        univariate_cox(event, time, np.zeros(3))
    with pytest.raises(ValueError, match="covariate: expected finite numbers"):
        univariate_cox(event, time, np.array([0.0, np.nan]))
    with pytest.raises(ValueError, match="time: expected finite months"):
        univariate_cox(event, -time, np.zeros(2))
