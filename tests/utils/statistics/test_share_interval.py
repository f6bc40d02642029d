from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from statsmodels.stats.proportion import proportion_confint

from utils.statistics.share_interval import independent_cases, share_interval, wilson_limits


@pytest.mark.parametrize(("right", "n"), [(15, 15), (7, 20), (0, 3), (59, 60)])
def test_one_fold_has_wilsons_limits(right: int, n: int):
    interval = share_interval([right / n], [n])
    expected = proportion_confint(right, n, method="wilson")
    assert (interval.value, interval.low, interval.high) == pytest.approx((right / n, *expected), abs=1e-12)
    assert interval.high - interval.low > 0.05  # never a point


def test_the_mean_over_folds_is_of_as_many_cases_as_its_variance():
    shares, sizes, p = [0.5, 0.9, 0.7], [10, 20, 40], 0.7
    interval = share_interval(shares, sizes)
    n = p * (1 - p) / (sum(p * (1 - p) / size for size in sizes) / 9)  # V = sum p (1 - p) / n_k / K^2
    assert n == pytest.approx(9 / (1 / 10 + 1 / 20 + 1 / 40))
    n /= 2 - 1 / 3  # the models of three folds share training cases
    assert (interval.low, interval.high) == pytest.approx(proportion_confint(p * n, n, method="wilson"))
    equal = share_interval([0.6, 0.8], [30, 30])
    assert (equal.low, equal.high) == pytest.approx(proportion_confint(28, 40, method="wilson"))


def test_slides_of_patients_count_as_alike():
    assert independent_cases(np.array(["a", "b", "c"])) == 3
    assert independent_cases(np.array(["a", "a", "a", "a"])) == 1
    assert independent_cases(np.array(["a", "a", "a", "b"])) == pytest.approx(16 / 10)


@pytest.mark.parametrize(("hits", "n"), [(0, 5), (5, 5), (3, 10), (250, 400), (1, 1)])
def test_wilson_limits_are_those_of_scipy(hits: int, n: int):
    expected = binomtest(hits, n).proportion_ci(0.95, method="wilson")
    np.testing.assert_allclose(wilson_limits(np.array([hits / n]), np.array([n])), [[expected.low], [expected.high]])
