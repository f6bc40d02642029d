from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from utils.statistics.interval import Estimate, Interval, logit_interval, logit_limits


def test_limits_on_the_logit_scale():
    # logit 0.75 = log 3; its standard error sqrt(0.01) / (3/16) = 0.5333.
    odds = [3 * math.exp(sign * norm.ppf(0.975) * 0.1 / (3 / 16)) for sign in (-1, 1)]
    assert logit_limits(0.75, 0.01) == pytest.approx([one / (1 + one) for one in odds])
    low, high = logit_limits(0.999, 0.2)  # the exponential is beyond float64
    assert 0 <= low < 0.999 < high <= 1


def test_the_mean_of_folds_has_the_variance_of_folds_that_share_training_cases():
    folds = [Estimate(0.6, 0.01), Estimate(0.8, 0.03), Estimate(1.0, 0.0)]
    assert logit_interval(folds) == Interval(
        pytest.approx(0.8), *map(pytest.approx, logit_limits(0.8, (2 - 1 / 3) * 0.04 / 9))
    )
    assert logit_interval(folds[:1]) == Interval(0.6, *logit_limits(0.6, 0.01))


def test_separated_classes_have_the_exact_limit():
    """With AUC theta all r disjoint pairs are in order with probability theta^r: the limit is where that is 0.025."""
    one = logit_interval([Estimate(1.0, 0.0, disjoint_pairs=5)])
    assert (one.value, one.high, one.reason) == (1.0, 1.0, None)
    assert one.low**5 == pytest.approx(0.025)
    mirrored = logit_interval([Estimate(0.0, 0.0, disjoint_pairs=5)])
    assert (mirrored.low, mirrored.high) == (0.0, pytest.approx(1 - one.low))
    folds = [Estimate(1.0, 0.0, disjoint_pairs=pairs) for pairs in (5, 4, 7)]
    assert logit_interval(folds).low == pytest.approx(0.025 ** ((2 - 1 / 3) / 12))  # three times the fewest


def test_the_exact_limit_of_several_folds_holds_for_unequal_aucs():
    """For any AUCs of the folds with a mean at the limit, all folds are separated in at most 2.5 % of samples."""
    pairs = np.array([5, 4, 7])
    limit = logit_interval([Estimate(1.0, 0.0, disjoint_pairs=int(count)) for count in pairs]).low
    rng = np.random.default_rng(0)
    aucs = limit + rng.normal(size=(20_000, 3)) * 0.15
    aucs += limit - aucs.mean(axis=1, keepdims=True)
    aucs = aucs[((aucs > 0) & (aucs <= 1)).all(axis=1)]
    assert len(aucs) > 1000
    assert (aucs**pairs).prod(axis=1).max() <= 0.025 + 1e-12


@pytest.mark.parametrize(
    ("folds", "value", "reason"),
    [
        ([Estimate(1.0, 0.0)], 1.0, "a value of 1 has no variance to tell limits from"),
        ([Estimate(0.0, 0.0), Estimate(0.0, 0.0)], 0.0, "a value of 0 has no variance to tell limits from"),
        ([Estimate(0.5, 0.0)], 0.5, "the value is the same without any one patient: no variance"),
        ([Estimate(0.5, 1e-3), Estimate(0.7, None, "one case")], 0.6, "one case"),
        ([Estimate(0.5, None, "a"), Estimate(0.5, None, "b"), Estimate(0.5, None, "a")], 0.5, "a; b"),
        # One fold of an AUC of 1 has a patient of both classes: there are no disjoint pairs to count.
        (
            [Estimate(1.0, 0.0, disjoint_pairs=3), Estimate(1.0, 0.0)],
            1.0,
            "a value of 1 has no variance to tell limits from",
        ),
    ],
)
def test_no_limits_have_a_reason_and_are_never_a_point(folds: list[Estimate], value: float, reason: str):
    assert logit_interval(folds) == Interval(value, None, None, reason)
