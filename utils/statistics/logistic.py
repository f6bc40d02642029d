"""Logistic regression with an intercept for each stratum: coefficients, Wald limits, log likelihoods."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from scipy.optimize import linprog

from utils.statistics.regression import Regression, checked_covariates, names_or_numbers, stratum_codes
from utils.statistics.survival_stats import UndefinedMetricError

_LEFT_TO_GO = 1e-6  # standard errors that a further Newton step may move a coefficient by
_SINGULAR = 1e-9  # smallest spread in any direction, of covariates scaled to 1
_SEPARATED = 1e-7  # of the linear programme's objective, whose coefficients lie within -1 and 1


def logistic(
    positive: np.ndarray,
    covariates: np.ndarray,
    strata: np.ndarray | None = None,
    names: Sequence[str] | None = None,
) -> Regression:
    """Maximum likelihood of `log(P / (1 - P)) = a_s + x b` without penalty, s the stratum of a case.

    A stratum of positive (or of other) cases only fits its own intercept without an end and says nothing about b: its
    cases are left out, which leaves b and the likelihood where they would be in the limit.

    Whether a finite maximum exists is decided beforehand, by linear programming: with signs `z = 1` for positive cases
    and `z = -1` for the others it does not exactly if some `(a, b) != 0` has `z_i (a_s + x_i b) >= 0` for all cases and
    `> 0` for one (complete or quasi-complete separation).

    Args:
        positive: (n,) bool.
        covariates: (n, p) finite numbers.
        strata: (n,) labels of any kind, such as folds; None: one intercept.
        names: (p,) of the covariates, for reasons; default `covariate 1 ...`.

    Raises:
        UndefinedMetricError: no stratum has both kinds of cases; a covariate is constant within all strata, or follows
            from others; the classes are separated; or the maximum is not found.
        ValueError: another shape or type, or numbers that are not finite.

    References:
        Albert, Anderson: On the existence of maximum likelihood estimates in logistic regression models. Biometrika
        71(1), 1-10, 1984. Fitted by `statsmodels.discrete.discrete_model.Logit`.

    Of two cases with x = 1 one is positive, of four with x = 0 one: odds of 1 against 1/3.

    >>> x = np.array([[1], [1], [0], [0], [0], [0]])
    >>> model = logistic(np.array([1, 0, 1, 0, 0, 0]) == 1, x)
    >>> np.exp(model.effect).round(6).tolist()
    [3.0]
    """
    positive = np.asarray(positive)
    if positive.ndim != 1 or positive.dtype != np.bool_ or len(positive) == 0:
        raise ValueError(f"positive: expected booleans of shape (n,), got {positive.dtype} of shape {positive.shape}")
    x, stratum = checked_covariates(covariates, len(positive)), stratum_codes(strata, len(positive))
    names = names_or_numbers(names, x.shape[1])
    kept = _in_mixed_strata(positive, stratum)
    if not kept.any():
        raise UndefinedMetricError("no fold has cases of both classes")
    positive, x = positive[kept], x[kept]
    intercepts = (stratum[kept, None] == np.unique(stratum[kept])).astype(np.float64)  # (n, S)
    n_covariates = x.shape[1]
    null = _null_log_likelihood(positive, intercepts)
    centre, scale = x.mean(axis=0), x.std(axis=0)
    scaled = (x - centre) / np.where(scale > 0, scale, 1.0)
    design = np.concatenate([scaled, intercepts], axis=1)  # (n, p + S)
    _require_full_rank(scaled, intercepts, names)
    _require_overlap(positive, design)
    coefficients, information, likelihood = _fit(positive, design)
    inverse = np.linalg.inv(information)
    return Regression(
        effect=coefficients[:n_covariates] / scale,
        covariance=inverse[:n_covariates, :n_covariates] / np.outer(scale, scale),
        log_likelihood=likelihood,
        log_likelihood_null=null,
        n=len(positive),
    )


def _in_mixed_strata(positive: np.ndarray, stratum: np.ndarray) -> np.ndarray:
    """(n,) whether the stratum of a case has positive and other cases."""
    counts, positives = np.bincount(stratum), np.bincount(stratum, positive)
    return ((positives > 0) & (positives < counts))[stratum]


def _null_log_likelihood(positive: np.ndarray, intercepts: np.ndarray) -> float:
    share = (intercepts * positive[:, None]).sum(axis=0) / intercepts.sum(axis=0)  # (S,)
    own = intercepts @ share
    return float(np.log(np.where(positive, own, 1 - own)).sum())


def _require_full_rank(x: np.ndarray, intercepts: np.ndarray, names: Sequence[str]) -> None:
    """Refuse covariates that the strata, or other covariates, determine."""
    means = (intercepts.T @ x) / intercepts.sum(axis=0)[:, None]  # (S, p)
    within = x - intercepts @ means
    constant = [name for name, spread in zip(names, np.abs(within).max(axis=0), strict=True) if spread < _SINGULAR]
    if constant:
        raise UndefinedMetricError(f"constant within every fold: {', '.join(constant)}")
    _, sizes, directions = np.linalg.svd(within / np.linalg.norm(within, axis=0), full_matrices=False)
    if len(sizes) < x.shape[1] or sizes[-1] < _SINGULAR:
        collinear = [name for name, share in zip(names, directions[-1], strict=True) if abs(share) > 1e-4]
        raise UndefinedMetricError(f"collinear: {', '.join(collinear)}")


def _require_overlap(positive: np.ndarray, design: np.ndarray) -> None:
    """Refuse classes that a linear combination of the covariates separates."""
    signed = design * np.where(positive, 1.0, -1.0)[:, None]
    found = linprog(-signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(signed)), bounds=(-1, 1), method="highs")
    if found.status == 0 and -found.fun > _SEPARATED * len(signed):
        raise UndefinedMetricError("the covariates separate the classes (infinite coefficient)")


def _fit(positive: np.ndarray, design: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Coefficients, observed information and log likelihood at the maximum."""
    from statsmodels.discrete.discrete_model import Logit  # takes a second to import

    model = Logit(positive.astype(np.float64), design)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # convergence is checked below, by the score
            fitted = model.fit(method="newton", maxiter=100, tol=1e-12, disp=0, warn_convergence=False)
        coefficients = np.asarray(fitted.params)
        information = -np.asarray(model.hessian(coefficients))
        step = np.linalg.solve(information, model.score(coefficients))
        error = np.sqrt(np.diag(np.linalg.inv(information)))
    except np.linalg.LinAlgError as failed:
        raise UndefinedMetricError("the coefficients did not converge") from failed
    if not (np.abs(step) < _LEFT_TO_GO * error).all():
        raise UndefinedMetricError("the coefficients did not converge")
    return coefficients, information, float(model.loglike(coefficients))
