"""How two groups of cases differ in survival, compared within strata: hazard ratio and log-rank test."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from utils.statistics.cox import cox
from utils.statistics.survival_stats import UndefinedMetricError, check_survival, n_at_risk

HAZARD_RATIO = ("hazard_ratio", "hazard_ratio_low", "hazard_ratio_high")  # the names of it and its limits in summaries
RATIO_OF_0 = "0: while both groups are at risk, only low-risk cases die"  # the reason of a ratio without a limit below


@dataclass(frozen=True)
class GroupEffect:
    """The high-risk group against the low-risk group.

    Attributes:
        hazard_ratio: above 1: the high-risk group dies earlier; below 1: it lives longer. None where undefined.
        low, high: its 95 % limits (Wald, on the log scale).
        p: two-sided, of the log-rank test.
        reasons: {`hazard_ratio` or `p`: why it is None}.
    """

    hazard_ratio: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    reasons: dict[str, str] = field(default_factory=dict)


def undefined_effect(reason: str) -> GroupEffect:
    """Neither a hazard ratio nor a p value, for one reason."""
    return GroupEffect(reasons={"hazard_ratio": reason, "p": reason})


def group_effect(
    event: np.ndarray, time: np.ndarray, high: np.ndarray, strata: np.ndarray | None = None
) -> GroupEffect:
    """Cox's hazard ratio of the cases where `high` (n,) is True against the others, and the log-rank p.

    With strata (n,), such as folds, both compare cases of one stratum only: `utils.statistics.cox` with a baseline
    hazard of each stratum, and `stratified_logrank_p`.

    Raises:
        ValueError: see `utils.statistics.survival_stats.check_survival`.
    """
    reasons: dict[str, str] = {}
    ratio: tuple[float, float, float] | tuple[None, None, None] = (None, None, None)
    p: float | None = None
    try:
        ratio = _hazard_ratio(event, time, high, strata)
    except UndefinedMetricError as error:
        reasons["hazard_ratio"] = str(error)
    try:
        p = stratified_logrank_p(event, time, high, strata)
    except UndefinedMetricError as error:
        reasons["p"] = str(error)
    return GroupEffect(hazard_ratio=ratio[0], low=ratio[1], high=ratio[2], p=p, reasons=reasons)


def stratified_logrank_p(
    event: np.ndarray, time: np.ndarray, group: np.ndarray, strata: np.ndarray | None = None
) -> float:
    """Two-sided p value of the log-rank test between the cases where `group` (n,) is True and the others.

    At each death time of each stratum, d deaths among n at risk, n_1 of them in the group: observed minus expected
    deaths `d_1 - d n_1 / n` and variances `d (n - d) n_1 (n - n_1) / (n^2 (n - 1))` are summed over times and strata;
    `(sum (O - E))^2 / sum V` is chi-squared with one degree of freedom. Equal to R's
    `survdiff(Surv(time, event) ~ group + strata(strata))`.

    Raises:
        UndefinedMetricError: no events, an empty group, or no variance (the groups are never at risk together at a
            death that someone survives, in any stratum).
        ValueError: see `utils.statistics.survival_stats.check_survival`.

    References:
        Kalbfleisch, Prentice: The Statistical Analysis of Failure Time Data. Wiley, 2nd edition 2002, section 1.4.
    """
    n, n_1, d, d_1 = _at_death_times(event, time, group, strata)
    difference = (d_1 - d * n_1 / n).sum()
    variance = (d * (n - d) * n_1 * (n - n_1) / (n**2 * np.maximum(n - 1, 1))).sum()
    if variance == 0:
        raise UndefinedMetricError("the groups are never at risk together at a death that someone survives")
    return float(math.erfc(abs(difference) / math.sqrt(2 * variance)))


def _hazard_ratio(
    event: np.ndarray, time: np.ndarray, high: np.ndarray, strata: np.ndarray | None
) -> tuple[float, float, float]:
    n, n_1, d, d_1 = _at_death_times(event, time, high, strata)
    both = (n_1 > 0) & (n_1 < n)
    if not both.any():
        raise UndefinedMetricError("the groups are never at risk together at a death")
    if not (d - d_1)[both].any():
        raise UndefinedMetricError("infinite: while both groups are at risk, only high-risk cases die")
    if not d_1[both].any():
        raise UndefinedMetricError(RATIO_OF_0)
    model = cox(event, time, np.asarray(high, dtype=np.float64)[:, None], strata, names=["risk group"])
    ratio, low, high_limit = np.exp([model.log_hazard[0], model.low[0], model.high[0]])
    return float(ratio), float(low), float(high_limit)


def _at_death_times(
    event: np.ndarray, time: np.ndarray, group: np.ndarray, strata: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of each death time of each stratum: cases at risk n, of the group n_1, deaths d, of the group d_1."""
    event, time = check_survival(event, time)
    group = np.asarray(group, dtype=bool)
    if not event.any():
        raise UndefinedMetricError("no events")
    if group.all() or not group.any():
        raise UndefinedMetricError("all cases are in one group")
    codes = np.zeros(len(event)) if strata is None else np.asarray(strata)
    counts = []
    for stratum in np.unique(codes[event]):
        of_stratum = codes == stratum
        dies, at, in_group = event[of_stratum], time[of_stratum], group[of_stratum]
        death_time, index, d = np.unique(at[dies], return_inverse=True, return_counts=True)
        d_1 = np.bincount(index[in_group[dies]], minlength=len(d))
        counts.append((n_at_risk(at, death_time), n_at_risk(at[in_group], death_time), d, d_1))
    n, n_1, d, d_1 = (np.concatenate(part).astype(np.float64) for part in zip(*counts, strict=True))
    return n, n_1, d, d_1
