from __future__ import annotations

import math

import numpy as np
import pytest

from utils.statistics.fold_pairs import as_survival, concordance_difference, concordance_within_folds
from utils.statistics.survival_stats import UndefinedMetricError


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
