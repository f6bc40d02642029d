from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from utils.statistics.class_calibration import (
    brier,
    brier_of_shares,
    calibration_error,
    calibration_error_if_calibrated,
    class_shares,
)


def two(positive: list[float] | np.ndarray) -> np.ndarray:
    return np.stack([1 - np.array(positive), np.array(positive)], axis=1)


def test_brier_scores_equal_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    prob, label = rng.dirichlet([1, 1, 1], 40), rng.integers(0, 3, 40)
    assert brier(prob, label) == pytest.approx(brier_score_loss(label, prob, labels=[0, 1, 2], scale_by_half=False))
    positive = rng.random(40)
    assert brier(two(positive), label == 1) == pytest.approx(brier_score_loss(label == 1, positive))


def test_the_shares_of_the_cases_themselves_are_the_best_constant():
    label = np.array([0, 1, 1, 1])
    shares = class_shares(label, 2)
    assert brier_of_shares(shares, label) == pytest.approx(0.75 * 0.25)
    assert all(brier_of_shares(np.array([1 - q, q]), label) > 0.1875 for q in (0.5, 0.7, 0.8, 1.0))
    assert brier_of_shares(np.array([0.5, 0.5]), label) == 0.25
    # Of three classes: (1 - 1/2)^2 + 1/16 + 1/16 for the two cases of class 0, (3/4)^2 + 1/4 + 1/16 for the others.
    three = np.array([0, 0, 1, 2])
    assert brier_of_shares(class_shares(three, 3), three) == pytest.approx((2 * 3 / 8 + 2 * 7 / 8) / 4)


def test_the_calibration_error_of_a_table_worked_by_hand():
    # 20 patients, two bins of ten. Below the median: 0.2 predicted, 3 of 10; above: 0.7, 9 of 10.
    positive, label = np.repeat([0.2, 0.7], 10), np.array([1] * 3 + [0] * 7 + [1] * 9 + [0])
    assert calibration_error(two(positive), label, np.arange(20)) == pytest.approx((0.1 + 0.2) / 2)
    # Of one patient each two slides: ten patients, one bin; 0.45 predicted, 12 of 20.
    assert calibration_error(two(positive), label, np.arange(20) // 2) == pytest.approx(0.15)


def test_beyond_two_classes_the_error_is_the_mean_over_classes():
    prob = np.tile([0.5, 0.3, 0.2], (9, 1))
    label = np.array([0, 0, 0, 1, 1, 1, 1, 1, 2])
    expected = (abs(1 / 3 - 0.5) + abs(5 / 9 - 0.3) + abs(1 / 9 - 0.2)) / 3
    assert calibration_error(prob, label, np.arange(9)) == pytest.approx(expected)


def exact_expected_error(positive: np.ndarray) -> float:
    """Over all labels of a few cases in one bin, with their probabilities."""
    total = 0.0
    for label in itertools.product((0, 1), repeat=len(positive)):
        drawn = np.array(label)
        weight = np.where(drawn == 1, positive, 1 - positive).prod()
        total += weight * abs((drawn - positive).mean())
    return total


def test_the_expected_error_equals_that_over_all_labels():
    positive = np.array([0.1, 0.3, 0.35, 0.6, 0.8, 0.9])
    found = calibration_error_if_calibrated(two(positive), np.arange(6), seed=1, n_draws=200_000)
    assert found == pytest.approx(exact_expected_error(positive), abs=5e-4)


def test_slides_of_a_patient_are_drawn_alike():
    """Three patients of four equal slides are as three cases."""
    positive = np.array([0.2, 0.5, 0.7])
    found = calibration_error_if_calibrated(two(np.repeat(positive, 4)), np.arange(12) // 4, seed=1, n_draws=200_000)
    assert found == pytest.approx(exact_expected_error(positive), abs=1e-3)


def test_of_three_classes_it_is_the_mean_over_classes():
    prob = np.random.default_rng(2).dirichlet([1, 2, 3], 5)
    found = calibration_error_if_calibrated(prob, np.arange(5), seed=1, n_draws=100_000)
    assert found == pytest.approx(np.mean([exact_expected_error(prob[:, c]) for c in range(3)]), abs=1e-3)


def test_the_draws_are_those_of_the_seed():
    prob, patient = two(np.linspace(0.1, 0.9, 40)), np.arange(40)
    first, again, other = (calibration_error_if_calibrated(prob, patient, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    assert first == pytest.approx(other, abs=0.01)
