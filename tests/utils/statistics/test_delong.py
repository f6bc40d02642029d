from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from utils.statistics.delong import auc_interval
from utils.statistics.survival_stats import UndefinedMetricError


def _slow(positive: np.ndarray, score: np.ndarray) -> tuple[float, float]:
    """AUC and DeLong's variance, pair by pair."""
    x, y = score[positive], score[~positive]
    psi = [[1.0 if a > b else 0.5 if a == b else 0.0 for b in y] for a in x]
    auc = sum(map(sum, psi)) / (len(x) * len(y))
    of_positive = [sum(row) / len(y) for row in psi]
    of_others = [sum(row[j] for row in psi) / len(x) for j in range(len(y))]
    s10 = sum((v - auc) ** 2 for v in of_positive) / (len(x) - 1)
    s01 = sum((v - auc) ** 2 for v in of_others) / (len(y) - 1)
    return auc, s10 / len(x) + s01 / len(y)


def test_a_hand_worked_table():
    """Positive scores 4 and 2, others 1, 3 and 2.

    psi: 4 wins three; 2 wins one, ties one, loses one: 1.5. A = 4.5 / 6 = 3/4. Means of the positive ones 1 and 1/2,
    variance 1/8; of the others 1, 1/2, 3/4, variance 1/16. V = 1/16 + 1/48 = 1/12.
    """
    result = auc_interval(np.array([True, True, False, False, False]), np.array([4, 2, 1, 3, 2]))
    error = math.sqrt(1 / 12) / (3 / 16)
    assert result.auc == 0.75
    odds = [3 * math.exp(sign * 1.959964 * error) for sign in (-1, 1)]
    assert (result.low, result.high) == pytest.approx([o / (1 + o) for o in odds], rel=1e-6)
    assert result.p == pytest.approx(2 * norm.sf(math.log(3) / error))
    assert result.reason is None


@pytest.mark.parametrize("seed", range(8))
def test_auc_and_variance_are_those_of_the_pairs(seed: int):
    rng = np.random.default_rng(seed)
    positive = rng.random(25) < 0.4
    score = np.round(rng.normal(size=25) + positive, 1 if seed % 2 else 5)  # with ties and without
    result = auc_interval(positive, score)
    auc, variance = _slow(positive, score)
    assert result.auc == pytest.approx(roc_auc_score(positive, score))
    assert result.auc == pytest.approx(auc)
    error = math.sqrt(variance) / (auc * (1 - auc))
    ends = np.log(auc / (1 - auc)) + np.array([-1, 1]) * norm.ppf(0.975) * error
    assert (result.low, result.high) == pytest.approx(1 / (1 + np.exp(-ends)))
    assert 0 < result.low < result.auc < result.high < 1
    assert (result.p < 0.05) == (result.low > 0.5 or result.high < 0.5)


def test_the_other_side_mirrors():
    rng = np.random.default_rng(0)
    positive, score = rng.random(30) < 0.5, rng.normal(size=30)
    one, other = auc_interval(positive, score), auc_interval(~positive, score)
    assert (other.auc, other.low, other.high) == pytest.approx((1 - one.auc, 1 - one.high, 1 - one.low))
    assert other.p == pytest.approx(one.p)


def test_the_interval_covers_what_it_promises():
    """Two normal distributions one deviation apart: AUC = Phi(1 / sqrt(2)); 400 cohorts of 30 and 30."""
    rng = np.random.default_rng(1)
    positive, true = np.repeat([True, False], 30), norm.cdf(1 / math.sqrt(2))
    results = [auc_interval(positive, rng.normal(size=60) + positive) for _ in range(400)]
    covered = np.mean([result.low <= true <= result.high for result in results])
    assert 0.92 <= covered <= 0.98


@pytest.mark.parametrize(
    ("positive", "score", "auc", "reason"),
    [
        ([1, 0, 0, 0], [2, 1, 3, 1], 2 / 3, "one case on a side"),
        ([1, 1, 1, 0], [2, 1, 3, 1.5], 2 / 3, "one case on a side"),
    ],
)
def test_an_auc_without_an_estimate_of_its_variance(positive: list, score: list, auc: float, reason: str):
    result = auc_interval(np.array(positive, dtype=bool), np.array(score))
    assert result.auc == pytest.approx(auc)
    assert (result.low, result.high, result.p) == (None, None, None)
    assert reason in result.reason


@pytest.mark.parametrize(
    ("positive", "score"),
    [
        ([1, 1, 0, 0], [3, 4, 1, 2]),
        ([1, 1, 0, 0], [1, 2, 3, 4]),
        ([1, 1, 1, 0, 0, 0, 0], [5, 6, 7, 1, 2, 3, 4]),
        ([1, 0], [2, 1]),
        ([1, 0, 0, 0, 0], [9, 1, 2, 3, 4]),
    ],
)
def test_the_p_of_separated_classes_is_that_of_all_permutations(positive: list, score: list):
    result = auc_interval(np.array(positive, dtype=bool), np.array(score))
    assert result.auc in (0, 1)
    assert (result.low, result.high) == (None, None)
    assert "on one side" in result.reason
    every = list(itertools.combinations(range(len(score)), sum(positive)))
    extreme = 0
    for chosen in every:
        labels = np.isin(np.arange(len(score)), chosen)
        extreme += abs(roc_auc_score(labels, score) - 0.5) >= 0.5 - 1e-12
    assert result.p == pytest.approx(extreme / len(every))


@pytest.mark.parametrize(
    ("positive", "score", "reason"),
    [
        ([0, 0], [1, 2], "no positive case"),
        ([1, 1], [1, 2], "no case beside the positive ones"),
        ([1, 1, 0, 0], [0.3] * 4, "constant score"),
    ],
)
def test_undefined(positive: list, score: list, reason: str):
    with pytest.raises(UndefinedMetricError, match=reason):
        auc_interval(np.array(positive, dtype=bool), np.array(score))


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match=r"positive: expected booleans of shape \(n,\), got int64"):
        auc_interval(np.array([1, 0]), np.array([1.0, 2.0]))
    for score in (np.zeros(3), np.array([np.nan, 1.0])):
        with pytest.raises(ValueError, match="score: expected finite numbers"):
            auc_interval(np.array([True, False]), score)
