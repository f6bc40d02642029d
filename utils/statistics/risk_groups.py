"""The risk halves of a survival run: the test cases of each fold split at its median risk, and pooled over folds.

Everything that shows the pooled halves, their hazard ratio or a log-rank p (summary, tables, figure, report) takes them
from `pooled_halves`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from utils.statistics.group_effect import GroupEffect, group_effect, undefined_effect
from utils.statistics.metric_intervals import repeated_patients
from utils.statistics.survival_stats import UndefinedMetricError, logrank_p, risk_halves

_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 36, 48, 60, 120, 240)
_MAX_TICKS = 8
# How often each is below 0.05 (an interval leaves out 1) without any signal; `python -m benchmarks.risk_groups_size`.
RELEASED_SIZE, STRATIFIED_SIZE = "11 to 14 %", "10 to 13 %"
SHARED_TRAINING = (
    "The models of the folds share training cases, so that over several folds p is too small and the interval too "
    "narrow, stratified or not: of simulated cohorts without any signal (60 to 1,200 cases, 4 folds) the released test "
    f"had p < 0.05 in {RELEASED_SIZE}, the stratified test in {STRATIFIED_SIZE}, and in {STRATIFIED_SIZE} the interval "
    "left out 1. A stratified p < 0.006 was as rare as p < 0.05 should be (2 to 4 %)."
)
SHARED_IN_SHORT = (
    "p is too small since folds share training cases: without any signal it was below 0.05\n"
    f"in {STRATIFIED_SIZE} (stratified) and {RELEASED_SIZE} (released) of simulated cohorts"
)
NO_HALVES = "no fold has two halves"


@dataclass(frozen=True)
class RiskGroups:
    """Cases of one or several folds: `event` (n,) bool, `time` (n,) months, `high` (n,) bool, `fold` (n,) int."""

    event: np.ndarray
    time: np.ndarray
    high: np.ndarray
    fold: np.ndarray


@dataclass(frozen=True)
class PooledHalves:
    """The test cases of all folds of a run, each with its half, and how the halves differ in survival.

    Attributes:
        groups: the cases of the folds that have halves; empty where no fold has any.
        folds: those folds.
        left_out: {fold: why it has no halves}.
        p: of the log-rank test, two-sided, over the pooled cases, not stratified by fold: the released figure of a
            cohort; None where it is undefined.
        reason: why `p` is None.
        effect: hazard ratio of the high half against the low half and log-rank p, both stratified by fold. Its p is too
            small as well where folds are pooled, since their models share training cases
            (`benchmarks/risk_groups_size.py` shows by how much).
    """

    groups: RiskGroups
    folds: tuple[int, ...]
    left_out: dict[int, str]
    p: float | None
    reason: str | None
    effect: GroupEffect


def risk_groups(table: pd.DataFrame, fold: int = 0) -> RiskGroups:
    """The halves of one fold; high: risk >= median of the fold.

    Raises:
        UndefinedMetricError: no case has a risk below the median risk.
    """
    high = risk_halves(table["risk"].to_numpy())
    return RiskGroups(table["event"].to_numpy().astype(bool), table["time"].to_numpy(), high, np.full(len(high), fold))


def split_folds(tables: Mapping[int, pd.DataFrame]) -> tuple[dict[int, RiskGroups], dict[int, str]]:
    """The halves of each fold, and {fold: reason} of the folds that have none."""
    groups: dict[int, RiskGroups] = {}
    left_out: dict[int, str] = {}
    for fold, table in tables.items():
        try:
            groups[fold] = risk_groups(table, fold)
        except UndefinedMetricError as error:
            left_out[fold] = str(error)
    return groups, left_out


def pool(groups: Mapping[int, RiskGroups]) -> RiskGroups:
    """All cases with the half each one has **within its fold**: risks of different models have no common scale."""
    parts = list(groups.values())
    return RiskGroups(
        event=np.concatenate([part.event for part in parts]),
        time=np.concatenate([part.time for part in parts]),
        high=np.concatenate([part.high for part in parts]),
        fold=np.concatenate([part.fold for part in parts]),
    )


def pooled_halves(tables: Mapping[int, pd.DataFrame]) -> PooledHalves:
    """The pooled halves of a run with their hazard ratio and log-rank p, stratified by fold, and the released pooled p.

    Args:
        tables: {fold: its test cases, with the columns `case_id, time, event, risk`}.

    All are undefined where a case is a test case of two folds (as in repeated random splits): they take the cases to be
    independent, and each copy would make p smaller and the interval narrower.
    """
    groups, left_out = split_folds(tables)
    if not groups:
        nobody = RiskGroups(np.zeros(0, bool), np.zeros(0), np.zeros(0, bool), np.zeros(0, int))
        return PooledHalves(nobody, (), left_out, None, NO_HALVES, undefined_effect(NO_HALVES))
    pooled = pool(groups)
    repeated = repeated_patients([tables[fold] for fold in groups], noun="case")
    if repeated is not None:
        return PooledHalves(pooled, tuple(groups), left_out, None, repeated, undefined_effect(repeated))
    effect = group_effect(pooled.event, pooled.time, pooled.high, pooled.fold)
    p, reason = None, None
    try:
        p = logrank_p(pooled.event, pooled.time, pooled.high)
    except UndefinedMetricError as error:
        reason = str(error)
    return PooledHalves(pooled, tuple(groups), left_out, p, reason, effect)


def month_ticks(longest: float) -> np.ndarray:
    """Ticks of a time axis from 0 months to at most `longest`, in steps of months or years, eight at most.

    >>> month_ticks(70.0).tolist()
    [0, 12, 24, 36, 48, 60]
    """
    fitting = (step for step in _MONTH_STEPS if longest / step < _MAX_TICKS)
    step = next(fitting, int(np.ceil(longest / (_MAX_TICKS - 1))))
    return np.arange(0, int(longest) + 1, step)
