"""A fitted regression with its Wald limits, and the covariates and strata that regressions take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from utils.statistics.interval import Z


@dataclass(frozen=True)
class Regression:
    """A model of p covariates, fitted by maximum likelihood.

    Attributes:
        effect: (p,) per unit of each covariate, the log hazard ratio (`utils.statistics.cox`: above 0, higher values
            die earlier) or the log odds ratio (`utils.statistics.logistic`).
        covariance: (p, p) of them, the inverse of the observed information.
        log_likelihood: at the maximum, or what it comes to in the limit.
        log_likelihood_null: the same with all effects 0.
        n: cases that it was fitted to.
    """

    effect: np.ndarray
    covariance: np.ndarray
    log_likelihood: float
    log_likelihood_null: float
    n: int

    @property
    def standard_error(self) -> np.ndarray:
        """(p,) roots of the diagonal of the covariance."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def low(self) -> np.ndarray:
        """(p,) lower 95 % limits (Wald), `effect - 1.96 SE`."""
        return self.effect - Z * self.standard_error

    @property
    def high(self) -> np.ndarray:
        """(p,) upper 95 % limits (Wald), `effect + 1.96 SE`."""
        return self.effect + Z * self.standard_error

    @property
    def p(self) -> np.ndarray:
        """(p,) two-sided p values of "no effect" (Wald), `2 (1 - Phi(|effect| / SE))`."""
        return 2 * norm.sf(np.abs(self.effect) / self.standard_error)


def checked_covariates(covariates: np.ndarray, n_cases: int) -> np.ndarray:
    """The covariates (n_cases, p) as float64.

    Raises:
        ValueError: another shape, no covariate, or numbers that are not finite.
    """
    x = np.asarray(covariates, dtype=np.float64)
    if x.ndim != 2 or len(x) != n_cases or x.shape[1] < 1:
        raise ValueError(f"covariates: expected shape ({n_cases}, p) with p at least 1, got {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError("covariates: expected finite numbers")
    return x


def stratum_codes(strata: np.ndarray | None, n_cases: int) -> np.ndarray:
    """(n_cases,) the number of each case's stratum, from labels of any kind; None: one stratum.

    Raises:
        ValueError: labels of another shape.
    """
    if strata is None:
        return np.zeros(n_cases, dtype=np.int64)
    strata = np.asarray(strata)
    if strata.shape != (n_cases,):
        raise ValueError(f"strata: expected shape ({n_cases},), got {strata.shape}")
    return np.unique(strata, return_inverse=True)[1]


def names_or_numbers(names: Sequence[str] | None, n_covariates: int) -> Sequence[str]:
    """The names of the covariates for reasons; without any `covariate 1 ...`."""
    return [f"covariate {index}" for index in range(1, n_covariates + 1)] if names is None else names
