from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sksurv.datasets import load_whas500

from utils.statistics.calibration_slope import CLIP, FEWEST_PATIENTS, logistic_calibration, survival_slope
from utils.statistics.survival_stats import UndefinedMetricError


@pytest.fixture
def whas500() -> pd.DataFrame:
    """500 patients after a heart attack, with a predicted survival S and a probability p that are made up."""
    covariates, outcome = load_whas500()
    age, rate = covariates["age"].to_numpy(dtype=float) - 70, covariates["hr"].to_numpy(dtype=float) - 87
    survival = np.exp(-np.exp(-1.2 + 0.9 * (0.06 * age + 0.015 * rate)))
    prob = 1 / (1 + np.exp(0.4 - 0.08 * age))
    return pd.DataFrame({"event": outcome["fstat"], "time": outcome["lenfol"], "S": survival, "p": prob})


def test_the_cox_slope_equals_that_of_r(whas500: pd.DataFrame):
    """R: f <- coxph(Surv(time, event) ~ I(log(-log(S))), d, ties = "efron"); coef(f); confint.default(f)."""
    event, time, survival = (whas500[name].to_numpy() for name in ("event", "time", "S"))
    found = survival_slope(event, time, survival)
    assert found.slope.value == pytest.approx(1.12765009559804, abs=1e-8)
    assert (found.slope.low, found.slope.high) == pytest.approx((0.936958953075896, 1.31834123812018), abs=1e-8)
    assert found.n_clipped == 0


def test_slope_and_intercept_equal_those_of_r(whas500: pd.DataFrame):
    """R: g <- glm(event ~ qlogis(p), binomial, d); coef(g); confint.default(g)."""
    found = logistic_calibration(whas500["p"].to_numpy(), whas500["event"].to_numpy(), np.arange(500))
    slope, intercept = found.slope, found.intercept
    assert slope.value == pytest.approx(1.1009726297154296, abs=1e-8)
    assert (slope.low, slope.high) == pytest.approx((0.879742888547382, 1.322202370883478), abs=1e-8)
    assert intercept.value == pytest.approx(0.0332351198425008, abs=1e-8)
    assert (intercept.low, intercept.high) == pytest.approx((-0.173644316521060, 0.240114556206061), abs=1e-8)


def test_slides_of_a_patient_are_taken_together(whas500: pd.DataFrame):
    """R: X <- model.matrix(g); s <- rowsum(X * (d$event - fitted(g)), seq(500) %/% 3); n <- 500; G <- nrow(s)
    V <- vcov(g) %*% crossprod(s) %*% vcov(g) * G / (G - 1) * (n - 1) / (n - 2); coef(g) -+ qnorm(0.975) sqrt(diag(V)).
    """
    patient = np.arange(1, 501) // 3
    found = logistic_calibration(whas500["p"].to_numpy(), whas500["event"].to_numpy(), patient)
    assert (found.slope.low, found.slope.high) == pytest.approx((0.873978562294137, 1.327966697136723), abs=1e-8)
    assert (found.intercept.low, found.intercept.high) == pytest.approx(
        (-0.168600198085411, 0.235070437770412), abs=1e-8
    )


@pytest.mark.parametrize("n_patients", [1, 2, FEWEST_PATIENTS - 1])
def test_few_patients_of_several_slides_have_no_slope(whas500: pd.DataFrame, n_patients: int):
    patient = np.arange(500) % n_patients
    with pytest.raises(UndefinedMetricError, match=rf"too few patients .*\({n_patients}, expected at least 10\)"):
        logistic_calibration(whas500["p"].to_numpy(), whas500["event"].to_numpy(), patient)
    logistic_calibration(whas500["p"].to_numpy(), whas500["event"].to_numpy(), np.arange(500) % FEWEST_PATIENTS)


def test_few_patients_of_one_slide_each_have_a_slope():
    found = logistic_calibration(np.array([0.2, 0.6, 0.4, 0.7, 0.5]), np.array([0, 0, 1, 1, 0]), np.arange(5))
    assert found.slope.low < found.slope.value < found.slope.high


def test_limits_without_width_are_refused():
    """The scores of all slides sum to 0, so those of each of 12 equal patients do, and with them the sandwich."""
    prob, occurred = np.tile([0.2, 0.6, 0.4, 0.7], 12), np.tile([0, 0, 1, 1], 12)
    with pytest.raises(UndefinedMetricError, match="too much alike: their sandwich variance is 0"):
        logistic_calibration(prob, occurred, np.repeat(np.arange(12), 4))
    logistic_calibration(prob, occurred, np.arange(48))


def test_predictions_that_are_too_extreme_have_a_slope_below_1():
    """Twice the true logits: half of the slope."""
    rng = np.random.default_rng(0)
    logit = rng.normal(size=4000)
    occurred = rng.random(4000) < 1 / (1 + np.exp(-logit))
    found = logistic_calibration(1 / (1 + np.exp(-2 * logit)), occurred, np.arange(4000))
    true = logistic_calibration(1 / (1 + np.exp(-logit)), occurred, np.arange(4000))
    assert found.slope.value == pytest.approx(true.slope.value / 2, rel=1e-6)
    assert true.slope.low < 1 < true.slope.high
    assert found.slope.high < 1


@pytest.mark.parametrize(
    ("prob", "occurred", "reason"),
    [
        ([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], "the predictions separate the classes"),
        ([0.1, 0.5, 0.5, 0.9], [0, 0, 1, 1], "the predictions separate the classes"),  # but for a tie
        ([0.1, 0.2, 0.8, 0.9], [1, 1, 0, 0], "the predictions separate the classes"),
        ([0.1, 0.2, 0.8, 0.9], [1, 1, 1, 1], "all cases are of one class"),
        ([0.4, 0.4, 0.4, 0.4], [1, 0, 1, 1], "all predictions are equal"),
    ],
)
def test_a_slope_without_a_finite_maximum_is_undefined(prob: list[float], occurred: list[int], reason: str):
    with pytest.raises(UndefinedMetricError, match=reason):
        logistic_calibration(np.array(prob), np.array(occurred), np.arange(4))


def test_whatever_overlaps_has_a_slope():
    """Nearly separated cases in small cohorts: the maximum is far out, and found."""
    rng, n_overlapping = np.random.default_rng(3), 0
    for _ in range(200):
        prob = rng.beta(0.3, 0.3, 12)
        occurred = rng.random(12) < prob
        yes, no = prob[occurred], prob[~occurred]
        if len(yes) and len(no) and no.max() > yes.min() and yes.max() > no.min():
            n_overlapping += 1
            found = logistic_calibration(prob, occurred, np.arange(12))
            x = np.log(np.clip(prob, CLIP, 1 - CLIP) / (1 - np.clip(prob, CLIP, 1 - CLIP)))
            left = occurred - 1 / (1 + np.exp(-found.intercept.value - found.slope.value * x))
            assert abs(left.sum()) < 1e-5
            assert abs((left * x).sum()) < 1e-5
    assert n_overlapping > 100


def test_probabilities_of_0_and_1_are_moved_and_counted():
    prob, occurred = np.array([0.0, 0.3, 0.6, 1.0, 0.5]), np.array([0, 1, 0, 1, 1])
    found = logistic_calibration(prob, occurred, np.arange(5))
    inside = logistic_calibration(np.clip(prob, CLIP, 1 - CLIP), occurred, np.arange(5))
    assert (found.n_clipped, inside.n_clipped) == (2, 0)
    assert found.slope == inside.slope
    event, time = np.array([1, 1, 0, 1, 1]), np.array([3.0, 1, 5, 4, 2])
    assert survival_slope(event, time, prob).n_clipped == 2


def test_a_constant_prediction_has_no_cox_slope():
    with pytest.raises(UndefinedMetricError, match="constant among the cases at risk"):
        survival_slope(np.array([1, 1, 0]), np.array([1.0, 2, 3]), np.full(3, 0.7))
