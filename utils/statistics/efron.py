"""The partial likelihood of proportional hazards with Efron's ties and strata, with its derivatives."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

_SPAN = 300.0  # of log hazards in one block: exp(300) and its sums are far from the end of float64


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
        """The log partial likelihood."""
        total = 0.0
        for stratum in self._strata:
            hazards = _Hazards(stratum, b)
            total += hazards.log_likelihood(hazards.sums(np.ones(len(stratum.x))))
        return total

    def derivatives(self, b: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Log partial likelihood, its gradient (p,) and information (p, p)."""
        total, score = 0.0, np.zeros(self.n_covariates)
        information = np.zeros((self.n_covariates, self.n_covariates))
        for stratum in self._strata:
            hazards, x = _Hazards(stratum, b), stratum.x
            a0 = hazards.sums(np.ones(len(x)))  # (deaths,)
            mean = hazards.sums(x) / a0[:, None]  # (deaths, p)
            second = hazards.sums(x[:, :, None] * x[:, None, :])  # (deaths, p, p)
            total += hazards.log_likelihood(a0)
            score += (x[stratum.row] - mean).sum(axis=0)
            information += (second / a0[:, None, None]).sum(axis=0) - mean.T @ mean
        return total, score, information

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


class _Hazards:
    """`exp(b^T x)` of one stratum, each risk set on a scale on which its highest hazard is from 1 to exp(300).

    One scale for all would lose the late risk sets where an early case is far above them. Cases are in blocks, in their
    order: the highest `b^T x` so far grows by less than 300 in one. Most strata are one block.
    """

    def __init__(self, stratum: _RiskSets, b: np.ndarray) -> None:
        self._stratum = stratum
        self._log_hazard = stratum.x @ b
        highest = np.maximum.accumulate(self._log_hazard)
        self._scale = highest[0] + _SPAN * ((highest - highest[0]) // _SPAN)  # (n,) log of the unit of a case's block
        self._starts = (0, *np.flatnonzero(np.diff(self._scale)) + 1)  # first case of each block

    def sums(self, of: np.ndarray) -> np.ndarray:
        """(deaths, ...) Efron's `sum_R - l / d sum_D` of `exp(b^T x - scale)` times a quantity (n, ...)."""
        stratum, shape = self._stratum, (-1, *[1] * (of.ndim - 1))
        weighted = np.exp(self._log_hazard - self._scale).reshape(shape) * of
        at_risk = np.empty_like(weighted)
        for start, end in pairwise((*self._starts, len(weighted))):
            at_risk[start:end] = np.cumsum(weighted[start:end], axis=0)
            if start:
                at_risk[start:end] += at_risk[start - 1] * np.exp(self._scale[start - 1] - self._scale[start])
        scale = self._scale[stratum.last]
        dies = np.exp(self._log_hazard[stratum.row] - scale).reshape(shape) * of[stratum.row]
        dying = np.add.reduceat(dies, stratum.start, axis=0)[stratum.time_index]
        return at_risk[stratum.last] - stratum.share.reshape(shape) * dying

    def log_likelihood(self, at_risk: np.ndarray) -> float:
        """Of the stratum, from its (deaths,) `sums` of ones."""
        stratum = self._stratum
        return float((self._log_hazard[stratum.row] - self._scale[stratum.last] - np.log(at_risk)).sum())
