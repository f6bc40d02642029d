"""The risk that divides cases of another cohort into high and low: fixed by the training cases, never by the cohort.

Of a fold it is the median risk of its training cases under its own model. The risk of the ensemble of folds is the mean
of theirs (`utils.statistics.ensemble`), and its cut-off the mean of their cut-offs.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from utils.statistics.group_effect import group_effect
from utils.statistics.risk_groups import PooledHalves, RiskGroups
from utils.statistics.survival_stats import UndefinedMetricError

NO_CUT_OFF = "no cut-off of the training cases is known"


def median_risk(training: pd.DataFrame) -> float:
    """The cut-off of a fold, from the predictions of its training cases."""
    return float(np.median(training["risk"].to_numpy()))


def ensemble_cut_off(cut_offs: Mapping[int, float]) -> float:
    """The cut-off of the ensemble, from {fold: its cut-off}."""
    return float(np.mean(list(cut_offs.values())))


def divided(table: pd.DataFrame, cut_off: float) -> RiskGroups:
    """The cases of a survival table in two groups; high: risk >= cut-off.

    Raises:
        UndefinedMetricError: all cases are on one side.
    """
    high = table["risk"].to_numpy() >= cut_off
    if high.all() or not high.any():
        side = "at or above" if high.all() else "below"
        raise UndefinedMetricError(f"the risk of every case is {side} the cut-off of the training cases, {cut_off:.4g}")
    return RiskGroups(table["event"].to_numpy().astype(bool), table["time"].to_numpy(), high, np.zeros(len(high), int))


def divided_with_p(table: pd.DataFrame, cut_off: float | None) -> PooledHalves:
    """The two groups of a cohort, as `divided` makes them, with their hazard ratio and log-rank p.

    Raises:
        UndefinedMetricError: no cut-off is known, or all cases are on one side of it.
    """
    if cut_off is None:
        raise UndefinedMetricError(NO_CUT_OFF)
    groups = divided(table, cut_off)
    effect = group_effect(groups.event, groups.time, groups.high)
    return PooledHalves(groups, (0,), {}, effect.p, effect.reasons.get("p"), effect)
