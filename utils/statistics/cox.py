"""Proportional hazards with several covariates and strata: coefficients, Wald limits, log partial likelihoods."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from utils.statistics.efron import EfronLikelihood
from utils.statistics.regression import Regression, checked_covariates, names_or_numbers, stratum_codes
from utils.statistics.survival_stats import UndefinedMetricError, check_survival

_MAX_STEPS = 200
_FIRST_STEP = 3.0  # that one Newton step may move the log hazards of two cases apart by; later as far as they are
_CONVERGED = 1e-9  # the same for the step that is left at the maximum
_SINGULAR = 1e-9  # smallest information in any direction, as a share of the information without an effect


def cox(
    event: np.ndarray,
    time: np.ndarray,
    covariates: np.ndarray,
    strata: np.ndarray | None = None,
    names: Sequence[str] | None = None,
) -> Regression:
    """The log hazard ratios b by maximum partial likelihood without penalty, Efron's ties.

    The hazard of a case of stratum s is `h_s(t) exp(b^T x)`: each stratum has a baseline of its own, and only cases of
    one stratum are compared (`utils.statistics.efron` has the likelihood). Standard errors are the roots of the
    diagonal of `I(b)^-1`, limits `b -+ 1.96 SE`, `p = 2 (1 - Phi(|b| / SE))` (Wald).

    The maximum is found by Newton's steps, shortened until the likelihood rises, in coordinates in which the
    information without an effect is the identity matrix: units and correlation of the covariates do not matter. Where
    the likelihood rises forever in a direction (a combination of covariates puts every death first or last among those
    at risk), information falls towards 0 along it and steps do not shrink.

    Args:
        event: (n,) 1 = death observed, 0 = censored.
        time: (n,) months.
        covariates: (n, p) x, p at least 1.
        strata: (n,) labels of any kind; None: one stratum.
        names: (p,) of the covariates, for reasons; default `covariate 1 ...`.

    Raises:
        UndefinedMetricError: no events; a covariate that does not differ, or is a linear combination of others, among
            the cases at risk; or a likelihood without a maximum.
        ValueError: see `check_survival`; covariates or strata of another shape, covariates that are not finite.

    References:
        Cox: Regression models and life-tables. Journal of the Royal Statistical Society B 34(2), 187-220, 1972.
        Therneau, Grambsch: Modeling Survival Data: Extending the Cox Model. Springer, 2000, chapter 3. Equal to R's
        `coxph(Surv(time, event) ~ x1 + x2 + strata(s), ties = "efron")`. (`statsmodels.duration.PHReg` has the same
        likelihood, but returns finite coefficients and errors where there is no maximum.)

    Three deaths with x = 1, 0, 1: `b - log(2 e^b + 1) - log(e^b + 1)` is highest at exp(2 b) = 1 / 2.

    >>> model = cox(np.ones(3), np.array([1, 2, 3]), np.array([[1], [0], [1]]))
    >>> model.effect.round(6).tolist()
    [-0.346574]
    """
    event, time = check_survival(event, time)
    x = checked_covariates(covariates, len(event))
    names = names_or_numbers(names, x.shape[1])
    if not event.any():
        raise UndefinedMetricError("no events")
    codes, n_cases = stratum_codes(strata, len(event)), len(event)
    # Those who left before the first death of their stratum are in no risk set: their values must not set a scale.
    ever = _ever_at_risk(event, time, codes)
    event, time, x, codes = event[ever], time[ever], x[ever], codes[ever]
    basis = _whitening(event, time, x, codes, names)
    likelihood = EfronLikelihood(event, time, (x - x.mean(axis=0)) @ basis, codes)
    at_maximum = _newton(likelihood)
    return Regression(
        effect=basis @ at_maximum,
        covariance=basis @ np.linalg.inv(likelihood.derivatives(at_maximum)[2]) @ basis.T,
        log_likelihood=likelihood.value(at_maximum),
        log_likelihood_null=likelihood.value(np.zeros_like(at_maximum)),
        n=n_cases,
    )


def _ever_at_risk(event: np.ndarray, time: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """(n,) whether a case is at risk at a death of its stratum."""
    first = np.full(codes.max() + 1, np.inf)
    np.minimum.at(first, codes[event], time[event])
    return time >= first[codes]


def _whitening(
    event: np.ndarray, time: np.ndarray, x: np.ndarray, codes: np.ndarray, names: Sequence[str]
) -> np.ndarray:
    """(p, p) W with `W^T I(0) W = 1`, I(0) the information at b = 0; the model is fitted to x W."""
    spread = np.ptp(x, axis=0)
    scale = 1 / np.where(spread > 0, spread, 1.0)
    _, _, information = EfronLikelihood(event, time, (x - x.mean(axis=0)) * scale, codes).derivatives(
        np.zeros(x.shape[1])
    )
    own = np.diag(information)
    constant = [name for name, amount in zip(names, own, strict=True) if amount < _SINGULAR]
    if constant:
        raise UndefinedMetricError(f"constant among the cases at risk at every death: {', '.join(constant)}")
    scale = scale / np.sqrt(own)
    values, vectors = np.linalg.eigh(information / np.sqrt(np.outer(own, own)))
    if values[0] < _SINGULAR:
        collinear = [name for name, share in zip(names, vectors[:, 0], strict=True) if abs(share) > 1e-4]
        raise UndefinedMetricError(f"collinear among the cases at risk: {', '.join(collinear)}")
    return scale[:, None] * vectors / np.sqrt(values)


def _newton(likelihood: EfronLikelihood) -> np.ndarray:
    """The maximum, from 0 on."""
    b = np.zeros(likelihood.n_covariates)
    for _ in range(_MAX_STEPS):
        value, score, information = likelihood.derivatives(b)
        if np.linalg.eigvalsh(information)[0] < _SINGULAR:
            break
        step = np.linalg.solve(information, score)
        length = likelihood.reach(step)
        if length < _CONVERGED:
            return b
        step *= min(1.0, max(_FIRST_STEP, likelihood.reach(b)) / length)
        while length > _CONVERGED and not likelihood.value(b + step) >= value - 1e-12 * abs(value):
            step, length = step / 2, length / 2
        b = b + step
    raise UndefinedMetricError("the likelihood has no maximum (a covariate, or several, foretell every death)")
