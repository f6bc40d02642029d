"""Calibration slope: what the logit of a probability, or the log cumulative hazard, has to be multiplied with.

1 is calibrated. Below 1, predictions are too extreme, the sign of overfitting; above 1, too timid; below 0, they point
the wrong way.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from statsmodels.discrete.discrete_model import Logit

from utils.statistics.interval import Z
from utils.statistics.survival_stats import UndefinedMetricError
from utils.statistics.univariate_cox import univariate_cox

CLIP = 1e-6  # probabilities of 0 and 1 have no logit: they are moved this far inside
_MAX_STEPS = 100
_SCORE_LEFT = 1e-6
FEWEST_PATIENTS = 10  # of whom several slides are taken together: with fewer the sandwich estimate is far too small
_NO_WIDTH = 1e-6  # standard error, as a share of the coefficient (or of 1), that is none but for rounding


@dataclass(frozen=True)
class Coefficient:
    """`value` with its 95 % Wald limits."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class LogisticCalibration:
    """Slope and intercept of a logistic recalibration; `n_clipped` probabilities were moved away from 0 or 1."""

    slope: Coefficient
    intercept: Coefficient
    n_clipped: int


@dataclass(frozen=True)
class SurvivalSlope:
    """The slope of a Cox recalibration; `n_clipped` probabilities were moved away from 0 or 1."""

    slope: Coefficient
    n_clipped: int


def logistic_calibration(prob: np.ndarray, occurred: np.ndarray, patient: np.ndarray) -> LogisticCalibration:
    """Slope b and intercept a of `logit P(occurred_i) = a + b logit(prob_i)`, by maximum likelihood.

    A calibrated model has b = 1 and a = 0. Wald limits; where patients have several slides, their variance is the
    sandwich estimate that takes the slides of a patient together; it needs `FEWEST_PATIENTS` patients.

    Args:
        prob: (n,) predicted probability, moved to [1e-6, 1 - 1e-6].
        occurred: (n,) bool.
        patient: (n,) whose slide it is.

    Raises:
        UndefinedMetricError: one class only, predictions that are all equal, classes that the predictions separate
            (then the likelihood rises forever with the slope), or several slides of a patient and fewer than
            `FEWEST_PATIENTS` patients, or such that their sandwich estimate is 0.

    References:
        Cox: Two further applications of a model for binary regression. Biometrika 45(3-4), 562-565, 1958.
        Van Calster et al.: Calibration: the Achilles heel of predictive analytics. BMC Medicine 17, 230, 2019.
        Fitted by `statsmodels.discrete.discrete_model.Logit`.
    """
    clipped, n_clipped = _clipped(prob)
    x = np.log(clipped / (1 - clipped))
    _require_overlap(x, np.asarray(occurred, dtype=bool))
    design = np.stack([np.ones(len(x)), x], axis=1)
    model = Logit(np.asarray(occurred, dtype=np.float64), design)
    groups = np.unique(patient, return_inverse=True)[1]
    n_patients = int(groups.max()) + 1
    cluster = {"cov_type": "cluster", "cov_kwds": {"groups": groups}} if n_patients < len(groups) else {}
    if cluster and n_patients < FEWEST_PATIENTS:
        raise UndefinedMetricError(
            f"too few patients for limits that take the slides of a patient together ({n_patients}, expected at least "
            f"{FEWEST_PATIENTS})"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no convergence, overflow
        try:
            fit = model.fit(method="newton", maxiter=_MAX_STEPS, disp=False, **cluster)
        except (Warning, ValueError, np.linalg.LinAlgError) as error:
            raise UndefinedMetricError("the calibration slope did not converge") from error
    if np.abs(model.score(fit.params)).max() > _SCORE_LEFT * len(x):
        raise UndefinedMetricError("the calibration slope did not converge")
    values, variances = np.asarray(fit.params), np.diag(fit.cov_params())
    errors = np.sqrt(np.maximum(variances, 0))  # rounding may leave less than 0
    if (errors <= _NO_WIDTH * np.maximum(1, np.abs(values))).any():
        raise UndefinedMetricError("the patients are too much alike: their sandwich variance is 0")
    intercept, slope = (
        Coefficient(float(value), float(value - Z * error), float(value + Z * error))
        for value, error in zip(values, errors, strict=True)
    )
    return LogisticCalibration(slope, intercept, n_clipped)


def survival_slope(event: np.ndarray, time: np.ndarray, survival: np.ndarray) -> SurvivalSlope:
    """The Cox coefficient of `log(-log S_i)`, the log cumulative hazard that is predicted up to one time.

    If hazards are proportional and the predictions right, the hazard of a case is `h_0(t) exp(x_i)` with
    x_i = log(-log S_i), and the coefficient is 1.

    Args:
        event: (n,) 1 = death observed, 0 = censored.
        time: (n,) months.
        survival: (n,) the predicted probability to live longer than that time, moved to [1e-6, 1 - 1e-6].

    Raises:
        UndefinedMetricError: see `utils.statistics.univariate_cox.univariate_cox`.

    References:
        van Houwelingen: Validation, calibration, revision and combination of prognostic survival models. Statistics in
        Medicine 19(24), 3401-3415, 2000.
        Crowson, Atkinson, Therneau: Assessing calibration of prognostic risk scores. Statistical Methods in Medical
        Research 25(4), 1692-1706, 2016.
    """
    clipped, n_clipped = _clipped(survival)
    effect = univariate_cox(event, time, np.log(-np.log(clipped)))
    return SurvivalSlope(Coefficient(effect.log_hazard, effect.low, effect.high), n_clipped)


def _clipped(prob: np.ndarray) -> tuple[np.ndarray, int]:
    """Probabilities within [1e-6, 1 - 1e-6], and how many were moved there."""
    prob = np.asarray(prob, dtype=np.float64)
    inside = np.clip(prob, CLIP, 1 - CLIP)
    return inside, int((inside != prob).sum())


def _require_overlap(x: np.ndarray, occurred: np.ndarray) -> None:
    """Refuse what has no finite maximum: with one covariate, exactly the cases below (Albert and Anderson 1984)."""
    if occurred.all() or not occurred.any():
        raise UndefinedMetricError("all cases are of one class")
    if np.ptp(x) == 0:
        raise UndefinedMetricError("all predictions are equal")
    yes, no = x[occurred], x[~occurred]
    if no.max() <= yes.min() or yes.max() <= no.min():
        raise UndefinedMetricError("the predictions separate the classes (infinite slope)")
