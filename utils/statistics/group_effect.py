"""How two groups of cases differ in survival, compared within strata: hazard ratio and log-rank test."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from utils.statistics.cox import cox
from utils.statistics.survival_stats import UndefinedMetricError, at_death_times, logrank_p

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
    hazard of each stratum, and `utils.statistics.survival_stats.logrank_p`.

    Raises:
        ValueError: see `utils.statistics.survival_stats.logrank_p`.
    """
    reasons: dict[str, str] = {}
    ratio: tuple[float, float, float] | tuple[None, None, None] = (None, None, None)
    p: float | None = None
    try:
        ratio = _hazard_ratio(event, time, high, strata)
    except UndefinedMetricError as error:
        reasons["hazard_ratio"] = str(error)
    try:
        p = logrank_p(event, time, high, strata)
    except UndefinedMetricError as error:
        reasons["p"] = str(error)
    return GroupEffect(hazard_ratio=ratio[0], low=ratio[1], high=ratio[2], p=p, reasons=reasons)


def _hazard_ratio(
    event: np.ndarray, time: np.ndarray, high: np.ndarray, strata: np.ndarray | None
) -> tuple[float, float, float]:
    n, n_1, d, d_1 = at_death_times(event, time, high, strata)
    both = (n_1 > 0) & (n_1 < n)
    if not both.any():
        raise UndefinedMetricError("the groups are never at risk together at a death")
    if not (d - d_1)[both].any():
        raise UndefinedMetricError("infinite: while both groups are at risk, only high-risk cases die")
    if not d_1[both].any():
        raise UndefinedMetricError(RATIO_OF_0)
    model = cox(event, time, np.asarray(high, dtype=np.float64)[:, None], strata, names=["risk group"])
    ratio, low, high_limit = np.exp([model.effect[0], model.low[0], model.high[0]])
    return float(ratio), float(low), float(high_limit)
