"""Proportional hazards with one covariate: its coefficient, Wald interval and p value."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.util import Surv

from utils.statistics.interval import Z
from utils.statistics.survival_stats import UndefinedMetricError, check_survival

_LEFT_TO_GO = 1e-6  # standard errors that a further Newton step may move the coefficient by
_FARTHEST = 1e9


@dataclass(frozen=True)
class CoxEffect:
    """`log_hazard`: the coefficient; its 95 % limits, standard error and two-sided p value of "no association"."""

    log_hazard: float
    low: float
    high: float
    standard_error: float
    p: float


def univariate_cox(event: np.ndarray, time: np.ndarray, covariate: np.ndarray) -> CoxEffect:
    """The log hazard ratio b per unit of the covariate x, by maximum partial likelihood without penalty.

    The hazard of a case is `h_0(t) exp(b x)`. A death time with the deaths D, d of them, and the risk set R (cases with
    this time or a later one) adds the terms `mean_D b x - log(sum_R exp(b x) - l / d sum_D exp(b x))`, l = 0 .. d - 1,
    to Efron's log partial likelihood. Their slopes are `mean_D x` minus the average of x over R with the weights
    `exp(b x_i) (1 - l / d [i in D])`, and the observed information I(b) is the sum of the variances of x under these
    weights. Standard error `1 / sqrt(I)`, limits `b -+ 1.96 / sqrt(I)`, `p = 2 (1 - Phi(|b| sqrt(I)))` (Wald).

    Undefined is what has no finite maximum, whatever the number of deaths: the terms are concave in b, and their slopes
    at b -> infinity sum to `sum_deaths (x_i - max_R x)`. So the likelihood rises forever exactly if each death has the
    highest x (or each the lowest) of those at risk.

    `utils.statistics.cox` has the same likelihood for several covariates and strata. There is no such condition for
    them, and it gives up where information all but vanishes on the way to the maximum. One covariate has the exact
    condition, a reason that says which way, and bisection to a maximum wherever it is; tests hold one against the
    other.

    Args:
        event: (n,) 1 = death observed, 0 = censored.
        time: (n,) months.
        covariate: (n,) x; standardise it for a coefficient per standard deviation.

    Raises:
        UndefinedMetricError: no events; the covariate does not differ between the cases at risk at any death; the
            likelihood rises forever; or the maximum is not found.
        ValueError: see `utils.statistics.survival_stats.check_survival`; a covariate of another shape or not finite.

    References:
        Cox: Regression models and life-tables. Journal of the Royal Statistical Society B 34(2), 187-220, 1972.
        Efron: The efficiency of Cox's likelihood function for censored data. Journal of the American Statistical
        Association 72(359), 557-565, 1977. Fitted by `sksurv.linear_model.CoxPHSurvivalAnalysis`.

    Three deaths with x = 1, 0, 1: `b - log(2 e^b + 1) - log(e^b + 1)` is highest at exp(2 b) = 1 / 2.

    >>> effect = univariate_cox(np.ones(3), np.array([1, 2, 3]), np.array([1, 0, 1]))
    >>> round(effect.log_hazard, 6), round(-math.log(2) / 2, 6)
    (-0.346574, -0.346574)
    """
    event, time = check_survival(event, time)
    x = np.asarray(covariate, dtype=np.float64)
    if x.shape != event.shape:
        raise ValueError(f"covariate: expected the shape of event, {event.shape}, got {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError("covariate: expected finite numbers")
    _require_maximum(event, time, x)
    coefficient = _fit(event, time, x)
    score, information = score_and_information(event, time, x, coefficient)
    error = 1 / math.sqrt(information) if information > 0 else math.inf
    if not abs(score) * error < _LEFT_TO_GO:
        raise UndefinedMetricError("the coefficient did not converge")
    limit = Z * error
    p = math.erfc(abs(coefficient) / error / math.sqrt(2))  # 2 (1 - Phi(|z|))
    return CoxEffect(coefficient, coefficient - limit, coefficient + limit, error, p)


def score_and_information(
    event: np.ndarray, time: np.ndarray, x: np.ndarray, coefficient: float
) -> tuple[float, float]:
    """Slope and negative curvature of Efron's log partial likelihood at a coefficient (see `univariate_cox`)."""
    score, information = 0.0, 0.0
    for at in np.unique(time[event]):
        at_risk = time >= at
        values, dies = x[at_risk], (event & (time == at))[at_risk]
        relative = np.exp(coefficient * values - (coefficient * values).max())  # the factor drops out of averages
        n_deaths = int(dies.sum())
        for number in range(n_deaths):
            weights = relative * (1 - number / n_deaths * dies)
            mean = np.average(values, weights=weights)
            score += values[dies].mean() - mean
            information += np.average((values - mean) ** 2, weights=weights)
    return float(score), float(information)


def _require_maximum(event: np.ndarray, time: np.ndarray, x: np.ndarray) -> None:
    """Refuse cohorts whose likelihood has no single maximum at a finite coefficient."""
    if not event.any():
        raise UndefinedMetricError("no events")
    order = np.argsort(-time, kind="stable")
    # The risk set of a case ends with the last one of its time in this order.
    last = np.searchsorted(-time[order], -time, side="right") - 1
    highest, lowest = np.maximum.accumulate(x[order])[last], np.minimum.accumulate(x[order])[last]
    if (highest == lowest)[event].all():
        raise UndefinedMetricError("constant among the cases at risk at every death")
    if (x == highest)[event].all():
        raise UndefinedMetricError("every death has the highest value of those at risk (infinite coefficient)")
    if (x == lowest)[event].all():
        raise UndefinedMetricError("every death has the lowest value of those at risk (infinite coefficient)")


def _fit(event: np.ndarray, time: np.ndarray, x: np.ndarray) -> float:
    """The coefficient by scikit-survival's Newton steps, or by bisection where these run over the maximum.

    They start at 0 without a bound, and overflow in nearly separated cohorts (64 of 2,540 random ones that have a
    maximum, a third of which were made so).
    """
    model = CoxPHSurvivalAnalysis(alpha=0, ties="efron", tol=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no convergence, overflow, a singular system
        try:
            model.fit(x[:, None], Surv.from_arrays(event, time))
        except (Warning, ValueError, np.linalg.LinAlgError):
            return _bisect(lambda b: score_and_information(event, time, x, b)[0])
    return float(model.coef_[0])


def _bisect(slope: Callable[[float], float]) -> float:
    """Where a slope that falls from above to below 0 is 0, to the last bit."""
    reach = 1.0
    while slope(-reach) <= 0 or slope(reach) >= 0:
        reach *= 2
        if reach > _FARTHEST:
            raise UndefinedMetricError("the coefficient did not converge")
    low, high = -reach, reach
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    return middle
