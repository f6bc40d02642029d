"""The partial likelihood of proportional hazards with Efron's ties and strata, with its derivatives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class _RiskSets:
    """One stratum, latest times first, so that the cases at risk at a time are the first ones.

    `x` (n, p); per death: `row` its case, `last` the last case at risk with it, `time_index` which death time it has,
    `share` l / d of the l-th of d deaths of one time; per death time: `start`, its first death.
    """

    x: np.ndarray
    row: np.ndarray
    last: np.ndarray
    time_index: np.ndarray
    share: np.ndarray
    start: np.ndarray


class EfronLikelihood:
    """Log partial likelihood of b for cases with the covariates x, each stratum with its own baseline hazard.

    At a death time of a stratum let D be its d deaths and R the cases of the stratum at risk (of this time or later).
    The time adds

        sum_D b^T x - sum_{l = 0}^{d - 1} log(A_l),    A_l = sum_R exp(b^T x) - l / d sum_D exp(b^T x).

    Its gradient is `sum_D x - sum_l m_l` and its information (the negative second derivative) `sum_l V_l`, with the
    mean m_l and covariance V_l of x over R under the weights of A_l.

    Args:
        event: (n,) bool.
        time: (n,) months.
        x: (n, p).
        codes: (n,) the stratum of each case; strata without a death add nothing.

    References:
        Efron: The efficiency of Cox's likelihood function for censored data. Journal of the American Statistical
        Association 72(359), 557-565, 1977.
    """

    def __init__(self, event: np.ndarray, time: np.ndarray, x: np.ndarray, codes: np.ndarray) -> None:
        self.n_covariates = x.shape[1]
        with_deaths = np.unique(codes[event])
        self._strata = [_risk_sets(event[codes == s], time[codes == s], x[codes == s]) for s in with_deaths]

    def value(self, b: np.ndarray) -> float:
        """The log partial likelihood; -inf where a hazard is beyond what floating-point numbers hold."""
        total = 0.0
        for stratum in self._strata:
            log_hazard, hazard = _hazards(stratum, b)
            at_risk = _efron_sums(stratum, hazard)
            if not at_risk.min() > 0:
                return -np.inf
            total += (log_hazard[stratum.row] - np.log(at_risk)).sum()
        return float(total)

    def derivatives(self, b: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Log partial likelihood, its gradient (p,) and information (p, p)."""
        total, score = 0.0, np.zeros(self.n_covariates)
        information = np.zeros((self.n_covariates, self.n_covariates))
        for stratum in self._strata:
            log_hazard, hazard = _hazards(stratum, b)
            a0 = _efron_sums(stratum, hazard)  # (deaths,)
            first = hazard[:, None] * stratum.x
            mean = _efron_sums(stratum, first) / a0[:, None]  # (deaths, p)
            second = _efron_sums(stratum, first[:, :, None] * stratum.x[:, None, :])  # (deaths, p, p)
            total += (log_hazard[stratum.row] - np.log(a0)).sum()
            score += (stratum.x[stratum.row] - mean).sum(axis=0)
            information += (second / a0[:, None, None]).sum(axis=0) - mean.T @ mean
        return float(total), score, information

    def reach(self, step: np.ndarray) -> float:
        """How far a step of b moves the log hazard of two cases of one stratum apart at most."""
        return max(float(np.ptp(stratum.x @ step)) for stratum in self._strata)


def _risk_sets(event: np.ndarray, time: np.ndarray, x: np.ndarray) -> _RiskSets:
    order = np.argsort(-time, kind="stable")
    event, backwards = event[order], -time[order]
    row = np.flatnonzero(event)
    _, start, time_index, count = np.unique(backwards[row], return_index=True, return_inverse=True, return_counts=True)
    return _RiskSets(
        x=x[order],
        row=row,
        last=np.searchsorted(backwards, backwards[row], side="right") - 1,
        time_index=time_index,
        share=(np.arange(len(row)) - start[time_index]) / count[time_index],
        start=start,
    )


def _hazards(stratum: _RiskSets, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`b^T x` less its maximum (which drops out of the likelihood), and its exponential."""
    log_hazard = stratum.x @ b
    log_hazard = log_hazard - log_hazard.max()
    return log_hazard, np.exp(log_hazard)


def _efron_sums(stratum: _RiskSets, of: np.ndarray) -> np.ndarray:
    """(deaths, ...) `sum_R - l / d sum_D` of a quantity (n, ...) for each death."""
    at_risk = np.cumsum(of, axis=0)[stratum.last]
    dying = np.add.reduceat(of[stratum.row], stratum.start, axis=0)[stratum.time_index]
    return at_risk - stratum.share.reshape(-1, *[1] * (of.ndim - 1)) * dying
