from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, roc_curve
from statsmodels.stats.proportion import proportion_confint

from utils.statistics.survival_stats import UndefinedMetricError
from utils.statistics.thresholds import at_threshold, ensemble_threshold, youden_threshold


def random_cases(seed: int, n: int = 30) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    label = np.append([0, 1], rng.integers(0, 2, n - 2))
    return label, np.round(np.clip(0.5 + 0.2 * (label - 0.5) + 0.25 * rng.normal(size=n), 0, 1), 2)  # with ties


@pytest.mark.parametrize("seed", range(20))
def test_no_threshold_has_a_higher_j(seed: int):
    """`sklearn.metrics.roc_curve` knows all that differ."""
    label, prob = random_cases(seed)
    false, true, _ = roc_curve(label, prob, drop_intermediate=False)
    called = prob >= youden_threshold(label, prob)
    j = called[label == 1].mean() - called[label == 0].mean()
    assert j == pytest.approx((true - false).max())


def test_the_threshold_lies_between_predictions():
    """pROC: coords(roc(label, prob, direction = "<"), "best", best.method = "youden") gives the same 0.5."""
    assert youden_threshold(np.array([0, 0, 1, 1]), np.array([0.2, 0.4, 0.6, 0.8])) == 0.5


def test_of_equal_thresholds_the_closest_to_one_half_is_taken():
    # J = 1/2 at 0.15 (2 of 2, 1 of 2), and again at 0.8 (1 of 2, 0 of 2).
    assert youden_threshold(np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.7, 0.9])) == pytest.approx(0.8)
    # Equally far away, 0.25 and 0.75: the lower.
    assert youden_threshold(np.array([0, 1, 0, 1]), np.array([0.125, 0.375, 0.625, 0.875])) == 0.25


@pytest.mark.parametrize(
    ("label", "prob", "reason"),
    [
        ([1, 1, 1], [0.1, 0.5, 0.9], "validation cases: only class 1 among the labels"),
        ([0, 1, 1], [0.4, 0.4, 0.4], "no threshold tells the validation cases apart better than chance"),
        ([1, 1, 0], [0.1, 0.2, 0.3], "no threshold tells the validation cases apart better than chance"),
    ],
)
def test_validation_cases_that_choose_no_threshold(label: list[int], prob: list[float], reason: str):
    with pytest.raises(UndefinedMetricError, match=reason):
        youden_threshold(np.array(label), np.array(prob))


def test_shares_at_a_threshold_and_their_limits():
    label, prob = random_cases(1)
    found = at_threshold(label, prob, 0.5, np.arange(30))
    (tn, fp), (fn, tp) = confusion_matrix(label, prob >= 0.5)
    for name, hits, of in (
        ("sensitivity", tp, tp + fn),
        ("specificity", tn, tn + fp),
        ("ppv", tp, tp + fp),
        ("npv", tn, tn + fn),
    ):
        share = found[name]
        assert share.value == pytest.approx(hits / of)
        assert (share.low, share.high) == pytest.approx(proportion_confint(hits, of, method="wilson"))


def test_the_slides_of_a_patient_count_less():
    label, prob = np.array([1, 1, 1, 1]), np.array([0.9, 0.8, 0.7, 0.2])
    patient = np.array(["a", "a", "b", "c"])
    share = at_threshold(label, prob, 0.5, patient)["sensitivity"]
    # 16 / (4 + 1 + 1) = 8/3 independent slides.
    assert share.value == 0.75
    assert (share.low, share.high) == pytest.approx(proportion_confint(2, 8 / 3, method="wilson"))


def test_a_share_of_nobody_is_undefined():
    found = at_threshold(np.array([0, 0]), np.array([0.1, 0.2]), 0.5, np.arange(2))
    assert (found["sensitivity"].value, found["sensitivity"].reason) == (None, "no case of class 1 among the labels")
    assert (found["ppv"].value, found["ppv"].reason) == (None, "no case is at or above the threshold")
    assert (found["specificity"].value, found["npv"].value) == (1.0, 1.0)
    found = at_threshold(np.array([1]), np.array([0.5]), 0.5, np.arange(1))  # at the threshold: class 1
    assert (found["sensitivity"].value, found["npv"].reason) == (1.0, "no case is below the threshold")
    assert found["specificity"].reason == "no case of class 0 among the labels"


def test_the_threshold_of_an_ensemble():
    assert ensemble_threshold({0: 0.25, 3: 0.75}) == 0.5
