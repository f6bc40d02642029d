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


def _slow_clustered(positive: np.ndarray, score: np.ndarray, patient: np.ndarray) -> float:
    """Obuchowski's variance, patient by patient: S10 / m + S01 / n + 2 S11 / (m n) of the paper."""
    x, y = np.flatnonzero(positive), np.flatnonzero(~positive)
    m, n = len(x), len(y)
    psi = {(i, j): 1.0 if score[i] > score[j] else 0.5 if score[i] == score[j] else 0.0 for i in x for j in y}
    auc = sum(psi.values()) / (m * n)
    v10 = {i: sum(psi[i, j] for j in y) / n for i in x}
    v01 = {j: sum(psi[i, j] for i in x) / m for j in y}
    everyone = list(dict.fromkeys(patient))
    s10 = s01 = s11 = 0.0
    for one in everyone:
        own_x, own_y = [i for i in x if patient[i] == one], [j for j in y if patient[j] == one]
        of_x, of_y = sum(v10[i] for i in own_x) - len(own_x) * auc, sum(v01[j] for j in own_y) - len(own_y) * auc
        s10, s01, s11 = s10 + of_x**2, s01 + of_y**2, s11 + of_x * of_y
    i10, i01, i = len(set(patient[x])), len(set(patient[y])), len(everyone)
    s10, s01, s11 = s10 * i10 / ((i10 - 1) * m), s01 * i01 / ((i01 - 1) * n), s11 * i / (i - 1)
    return s10 / m + s01 / n + 2 * s11 / (m * n)


def _ends(auc: float, variance: float) -> np.ndarray:
    half = norm.ppf(0.975) * math.sqrt(variance) / (auc * (1 - auc))
    return 1 / (1 + np.exp(-(np.log(auc / (1 - auc)) + np.array([-1, 1]) * half)))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("torn", [False, True])
def test_the_variance_of_patients_with_several_cases_is_obuchowskis(seed: int, torn: bool):
    """`torn`: patients with positive and other cases."""
    rng = np.random.default_rng(seed)
    patient = rng.permutation(np.repeat(np.arange(15), rng.integers(1, 5, 15)))
    of_patient = rng.random(15) < 0.5
    positive = rng.random(len(patient)) < 0.5 if torn else of_patient[patient]
    score = np.round(rng.normal(size=15)[patient] + rng.normal(size=len(patient)) + positive, 1 if seed % 2 else 5)
    names = np.array([f"P{number}" for number in patient], dtype=object)
    result = auc_interval(positive, score, names)
    assert result.auc == auc_interval(positive, score).auc
    assert (result.low, result.high) == pytest.approx(_ends(result.auc, _slow_clustered(positive, score, patient)))
    assert (result.p < 0.05) == (result.low > 0.5 or result.high < 0.5)


@pytest.mark.parametrize("seed", range(3))
def test_one_case_of_each_patient_is_delongs_to_the_last_bit(seed: int):
    rng = np.random.default_rng(seed)
    positive, score = rng.random(30) < 0.5, rng.normal(size=30)
    assert auc_interval(positive, score, rng.permutation(30)) == auc_interval(positive, score)
    assert _slow_clustered(positive, score, np.arange(30)) == pytest.approx(_slow(positive, score)[1])


def test_copies_of_a_case_tell_nothing_new():
    rng = np.random.default_rng(3)
    positive, score = rng.random(30) < 0.5, rng.normal(size=30)
    once = auc_interval(positive, score)
    thrice = auc_interval(np.tile(positive, 3), np.tile(score, 3), np.tile(np.arange(30), 3))
    assert (thrice.low, thrice.high, thrice.p) == pytest.approx((once.low, once.high, once.p))
    naive = auc_interval(np.tile(positive, 3), np.tile(score, 3))
    assert naive.high - naive.low < 0.65 * (once.high - once.low)  # by 1 / sqrt(3)


def test_the_interval_of_patients_covers_what_it_promises():
    """40 patients of 1 to 4 cases, three quarters of whose variance is the patient's; AUC = Phi(1 / sqrt(2))."""
    rng, true, covered, naive = np.random.default_rng(1), norm.cdf(1 / math.sqrt(2)), [], []
    for _ in range(400):
        patient = np.repeat(np.arange(40), rng.integers(1, 5, 40))
        positive = patient < 20
        score = math.sqrt(0.75) * rng.normal(size=40)[patient] + 0.5 * rng.normal(size=len(patient)) + positive
        for found, result in (
            (covered, auc_interval(positive, score, patient)), (naive, auc_interval(positive, score)),
        ):  # fmt: skip
            found.append(result.low <= true <= result.high)
    assert 0.92 <= np.mean(covered) <= 0.98
    assert np.mean(naive) < 0.85


@pytest.mark.parametrize(
    ("positive", "score", "patient", "p", "reason"),
    [
        # Two patients against two: one of six ways, and its mirror image.
        ([1, 1, 1, 0, 0, 0], [4, 5, 6, 1, 2, 3], [0, 0, 1, 2, 2, 3], 1 / 3, "on one side of all others (exact p)"),
        ([1, 1, 0, 0], [4, 5, 1, 2], [0, 1, 1, 2], None, "and a patient has cases of both"),
        ([1, 1, 0, 0], [3, 1, 0, 2], [0, 0, 1, 2], None, "one patient on a side has no variance"),
        ([1, 0, 0, 0], [1, 2, 0, 3], [0, 1, 1, 2], None, "one case on a side has no variance"),
        # Each patient has as much of either kind above its mean as below: u sums to 0, and v.
        ([1, 1, 1, 1, 0, 0], [1, 3, 1, 3, 2, 2], [0, 0, 1, 1, 2, 3], None, "differ too little for a variance"),
    ],
)
def test_patients_without_limits(positive: list, score: list, patient: list, p: float | None, reason: str):
    result = auc_interval(np.array(positive, dtype=bool), np.array(score), np.array(patient))
    assert (result.low, result.high) == (None, None)
    assert result.p == (None if p is None else pytest.approx(p))
    assert reason in result.reason


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
    with pytest.raises(ValueError, match=r"patient: expected shape \(2,\), got \(3,\)"):
        auc_interval(np.array([True, False]), np.array([1.0, 2.0]), np.arange(3))
