from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from utils.statistics.logistic import logistic
from utils.statistics.survival_stats import UndefinedMetricError


def _cohort(seed: int, n: int = 120) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, stratum = rng.normal(size=(n, 2)), rng.integers(0, 3, n)
    odds = 0.8 * x[:, 0] - 0.4 * x[:, 1] + 0.7 * stratum - 0.7
    return rng.random(n) < 1 / (1 + np.exp(-odds)), x, stratum


def test_a_two_by_two_table_by_hand():
    """Odds 6 / 2 against 3 / 5: odds ratio 5; its log has the variance 1/6 + 1/2 + 1/3 + 1/5."""
    x = np.array([1.0] * 8 + [0.0] * 8)[:, None]
    positive = np.array([True] * 6 + [False] * 2 + [True] * 3 + [False] * 5)
    model = logistic(positive, x)
    assert model.effect[0] == pytest.approx(math.log(5), abs=1e-9)
    assert model.covariance[0, 0] == pytest.approx(1 / 6 + 1 / 2 + 1 / 3 + 1 / 5, rel=1e-8)
    error = math.sqrt(1 / 6 + 1 / 2 + 1 / 3 + 1 / 5)
    assert model.low[0] == pytest.approx(math.log(5) - 1.959964 * error, abs=1e-6)
    assert model.p[0] == pytest.approx(math.erfc(math.log(5) / error / math.sqrt(2)), rel=1e-8)
    likelihood = 6 * math.log(6 / 8) + 2 * math.log(2 / 8) + 3 * math.log(3 / 8) + 5 * math.log(5 / 8)
    assert model.log_likelihood == pytest.approx(likelihood, abs=1e-10)
    assert model.log_likelihood_null == pytest.approx(9 * math.log(9 / 16) + 7 * math.log(7 / 16), abs=1e-10)
    assert model.n == 16


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_unpenalised_fit_with_a_dummy_for_each_stratum(seed: int):
    positive, x, stratum = _cohort(seed)
    design = np.concatenate([x, stratum[:, None] == np.arange(3)], axis=1)
    reference = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10, max_iter=10_000).fit(design, positive)
    model = logistic(positive, x, stratum)
    np.testing.assert_allclose(model.effect, reference.coef_[0, :2], atol=1e-5)
    fitted = 1 / (1 + np.exp(-design @ reference.coef_[0]))
    information = design.T @ (design * (fitted * (1 - fitted))[:, None])
    np.testing.assert_allclose(model.covariance, np.linalg.inv(information)[:2, :2], rtol=1e-4)


def test_units_and_names_of_strata_do_not_matter():
    positive, x, stratum = _cohort(5)
    model, scaled = logistic(positive, x, stratum), logistic(positive, x * 1000 + 7, np.array(["b", "c", "a"])[stratum])
    np.testing.assert_allclose(scaled.effect * 1000, model.effect, rtol=1e-7)
    assert scaled.log_likelihood == pytest.approx(model.log_likelihood, abs=1e-9)


def test_a_stratum_of_one_class_says_nothing():
    positive, x, stratum = _cohort(6)
    model = logistic(positive, x, stratum)
    rng = np.random.default_rng(0)
    more = logistic(
        np.append(positive, np.ones(20, dtype=bool)),
        np.concatenate([x, rng.normal(size=(20, 2))]),
        np.append(stratum, [9] * 20),
    )
    np.testing.assert_array_equal(more.effect, model.effect)
    assert (more.n, more.log_likelihood) == (model.n, model.log_likelihood)
    with pytest.raises(UndefinedMetricError, match="no fold has cases of both classes"):
        logistic(np.array([True, True, False]), np.arange(3.0)[:, None], np.array([0, 0, 1]))


@pytest.mark.parametrize(
    "x",
    [
        [1.0, 2, 3, 4, 5, 6],  # complete
        [1.0, 2, 3, 3, 5, 6],  # quasi-complete: they touch at 3
        [0.0, 0, 0, 0, 0, 1],  # a group that is positive only
    ],
)
def test_separated_classes_have_no_estimate(x: list[float]):
    with pytest.raises(UndefinedMetricError, match="separate"):
        logistic(np.array([0, 0, 0, 1, 1, 1]) == 1, np.array(x)[:, None])


def test_classes_that_a_combination_separates_have_no_estimate():
    """Neither of the two covariates separates them, their sum does."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 2))
    x = x[np.abs(x.sum(axis=1)) > 0.2]
    positive = x.sum(axis=1) > 0
    assert logistic(positive, x[:, :1]).effect[0] > 0
    with pytest.raises(UndefinedMetricError, match="separate"):
        logistic(positive, x)


def test_covariates_that_say_nothing_of_their_own_are_named():
    positive, x, stratum = _cohort(2)
    with pytest.raises(UndefinedMetricError, match="constant within every fold: site"):
        logistic(positive, np.column_stack([x[:, 0], stratum]), stratum, names=["age", "site"])
    with pytest.raises(UndefinedMetricError, match="collinear: age, months"):
        logistic(positive, np.column_stack([x, 12 * x[:, 0]]), stratum, names=["age", "size", "months"])


def test_wrong_shapes_are_errors():
    with pytest.raises(ValueError, match="booleans"):
        logistic(np.array([0, 1]), np.zeros((2, 1)))
    with pytest.raises(ValueError, match=r"shape \(2, p\)"):
        logistic(np.array([True, False]), np.zeros(2))
    with pytest.raises(ValueError, match="finite"):
        logistic(np.array([True, False]), np.array([[1.0], [np.nan]]))
    with pytest.raises(ValueError, match="strata"):
        logistic(np.array([True, False]), np.array([[1.0], [0.0]]), np.zeros(3))
