from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from sksurv.datasets import load_whas500

from utils.statistics.fold_pairs import (
    as_survival,
    concordance_difference,
    concordance_within_folds,
    stratified_concordance,
)
from utils.statistics.survival_stats import UndefinedMetricError, concordance


def _share(event: np.ndarray, time: np.ndarray, fold: np.ndarray, score: np.ndarray, left_out: int = -1) -> float:
    """Pair by pair."""
    won = pairs = 0.0
    for i in range(len(event)):
        for j in range(len(event)):
            if left_out in (i, j) or fold[i] != fold[j] or not event[i]:
                continue
            if time[i] < time[j] or (time[i] == time[j] and not event[j]):
                pairs += 1
                won += 1.0 if score[i] > score[j] else 0.5 if score[i] == score[j] else 0.0
    return won / pairs


def _cohort(seed: int, n: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    score = np.round(rng.normal(size=n), 1)
    time = np.ceil(rng.exponential(8 * np.exp(-score)))
    return rng.random(n) < 0.7, time, rng.integers(0, 3, n), score


@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_share_of_pairs_and_the_jackknife_over_cases(seed: int):
    event, time, fold, score = _cohort(seed)
    found = concordance_within_folds(event, time, fold, score)
    value = _share(event, time, fold, score)
    assert found.value == pytest.approx(value, abs=1e-12)
    without = np.array([_share(event, time, fold, score, left_out=i) for i in range(len(event))])
    error = math.sqrt((len(event) - 1) / len(event) * ((without - without.mean()) ** 2).sum())
    error *= math.sqrt(2 - 1 / len(np.unique(fold)))  # the models of folds share training cases
    reach = 1.959964 * error / (value * (1 - value))
    logit = math.log(value / (1 - value))
    assert [found.low, found.high] == pytest.approx([1 / (1 + math.exp(-logit + s * reach)) for s in (1, -1)], abs=1e-7)
    assert found.reason is None


def test_scales_of_folds_do_not_matter():
    event, time, fold, score = _cohort(7)
    found = concordance_within_folds(event, time, fold, score)
    assert concordance_within_folds(event, time, fold, score * (1 + fold) + 100 * fold) == found


def test_the_difference_is_that_of_both_and_has_the_jackknife_of_it():
    event, time, fold, score = _cohort(3)
    other = np.round(np.random.default_rng(9).normal(size=len(score)), 1)
    found = concordance_difference(event, time, fold, score, other)
    both = [_share(event, time, fold, one) for one in (score, other)]
    assert found.value == pytest.approx(both[0] - both[1], abs=1e-12)
    without = np.array(
        [_share(event, time, fold, score, i) - _share(event, time, fold, other, i) for i in range(len(event))]
    )
    error = math.sqrt((len(event) - 1) / len(event) * ((without - without.mean()) ** 2).sum())
    assert (found.low, found.high) == pytest.approx((found.value - 1.959964 * error, found.value + 1.959964 * error))
    same = concordance_difference(event, time, fold, score, score)
    assert (same.value, same.low) == (0.0, None)
    assert same.reason


def test_classes_have_their_auc():
    """Fold 0: 0.9 > 0.4, 0.9 > 0.1, 0.3 < 0.4, 0.3 > 0.1; fold 1: 5 > 2. Four of five pairs."""
    positive = np.array([True, True, False, False, True, False])
    score = np.array([0.9, 0.3, 0.4, 0.1, 5.0, 2.0])
    fold = np.array([0, 0, 0, 0, 1, 1])
    assert concordance_within_folds(*as_survival(positive), fold, score).value == pytest.approx(4 / 5)


def test_no_limits_without_doubt_and_no_value_without_pairs():
    positive, fold = np.array([True, False, True, False]), np.zeros(4)
    right = concordance_within_folds(*as_survival(positive), fold, np.array([2.0, 1, 2, 1]))
    assert (right.value, right.low, right.reason) == (1.0, None, "a value of 1 has no variance to tell limits from")
    wrong = concordance_within_folds(*as_survival(positive), fold, np.array([1.0, 2, 1, 2]))
    assert (wrong.value, wrong.high, wrong.reason) == (0.0, None, "a value of 0 has no variance to tell limits from")
    one = concordance_within_folds(*as_survival(np.array([True, False])), np.zeros(2), np.zeros(2))
    assert (one.value, one.low, one.reason) == (0.5, None, "too few pairs for a variance")
    with pytest.raises(UndefinedMetricError, match="within a fold"):
        concordance_within_folds(*as_survival(np.array([True, False])), np.arange(2), np.zeros(2))
    with pytest.raises(ValueError, match="fold"):
        concordance_within_folds(*as_survival(positive), np.zeros(3), np.zeros(4))


def _table(time: list[float], event: list[int], risk: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"time": time, "event": event, "risk": risk})


def test_the_pooled_value_equals_the_stratified_concordance_of_r():
    """R: d$fold <- (seq(500) - 1) %% 4; concordance(Surv(time, event) ~ age + strata(fold), d, reverse = TRUE)."""
    covariates, outcome = load_whas500()
    cases = pd.DataFrame({"time": outcome["lenfol"], "event": outcome["fstat"], "risk": covariates["age"]})
    found = stratified_concordance({fold: cases[np.arange(500) % 4 == fold] for fold in range(4)})
    assert found.value == pytest.approx(0.729837415766392, abs=1e-14)
    assert found.n_pairs == 13459 + 4864 + 375


def test_folds_weigh_by_their_pairs():
    # Three of three pairs, and none of one: 3 of 4, where the mean of the folds is 1/2.
    folds = {0: _table([1, 2, 3], [1, 1, 1], [3, 2, 1]), 1: _table([1, 2], [1, 0], [1, 2])}
    found = stratified_concordance(folds)
    assert (found.value, found.n_pairs, found.folds) == (0.75, 4, (0, 1))


def test_patients_of_two_folds_are_not_compared():
    one = _table([1, 4], [1, 1], [2, 1])
    found = stratified_concordance({0: one, 1: one.assign(risk=one["risk"] + 100)})
    assert (found.value, found.n_pairs) == (1.0, 2)
    assert concordance(*(np.concatenate([one[n], one[n]]) for n in ("event", "time")), np.array([2, 1, 102, 101])) < 1


def test_a_fold_without_a_pair_is_no_part_of_it():
    nobody = _table([1, 2], [0, 0], [1, 2])
    assert stratified_concordance({0: nobody, 2: _table([1, 2], [1, 0], [2, 1])}).folds == (2,)
    with pytest.raises(UndefinedMetricError, match="no comparable pair in any fold"):
        stratified_concordance({0: nobody})
