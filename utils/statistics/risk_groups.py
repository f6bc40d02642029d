"""The risk halves of a survival run: the test cases of each fold split at its median risk, and pooled over folds.

Everything that shows the pooled halves or their log-rank p (summary, tables, figure, report) takes them from
`pooled_halves`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from utils.files.phrases import counted
from utils.statistics.survival_stats import UndefinedMetricError, logrank_p, risk_halves

_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 36, 48, 60, 120, 240)
_MAX_TICKS = 8


@dataclass(frozen=True)
class RiskGroups:
    """Cases of one or several folds: `event` (n,) bool, `time` (n,) months, `high` (n,) bool."""

    event: np.ndarray
    time: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class PooledHalves:
    """The test cases of all folds of a run, each with its half, and the log-rank test between the two halves.

    Attributes:
        groups: the cases of the folds that have halves; empty where no fold has any.
        folds: those folds.
        left_out: {fold: why it has no halves}.
        p: two-sided, over the pooled cases, not stratified by fold; None where it is undefined.
        reason: why `p` is None.
    """

    groups: RiskGroups
    folds: tuple[int, ...]
    left_out: dict[int, str]
    p: float | None
    reason: str | None


def risk_groups(table: pd.DataFrame) -> RiskGroups:
    """The halves of one fold; high: risk >= median of the fold.

    Raises:
        UndefinedMetricError: no case has a risk below the median risk.
    """
    high = risk_halves(table["risk"].to_numpy())
    return RiskGroups(table["event"].to_numpy().astype(bool), table["time"].to_numpy(), high)


def split_folds(tables: Mapping[int, pd.DataFrame]) -> tuple[dict[int, RiskGroups], dict[int, str]]:
    """The halves of each fold, and {fold: reason} of the folds that have none."""
    groups: dict[int, RiskGroups] = {}
    left_out: dict[int, str] = {}
    for fold, table in tables.items():
        try:
            groups[fold] = risk_groups(table)
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
    )


def pooled_halves(tables: Mapping[int, pd.DataFrame]) -> PooledHalves:
    """The pooled halves of a run and their log-rank p, which the released evaluation reports for a cohort.

    Args:
        tables: {fold: its test cases, with the columns `case_id, time, event, risk`}.

    The p value is undefined where a case is a test case of two folds (as in repeated random splits): the test takes its
    cases to be independent, and each copy would make p smaller.
    """
    groups, left_out = split_folds(tables)
    if not groups:
        nobody = RiskGroups(event=np.zeros(0, bool), time=np.zeros(0), high=np.zeros(0, bool))
        return PooledHalves(nobody, (), left_out, None, "no fold has two halves")
    pooled, p, reason = pool(groups), None, None
    try:
        _require_distinct_cases([tables[fold] for fold in groups])
        p = logrank_p(pooled.event, pooled.time, pooled.high)
    except UndefinedMetricError as error:
        reason = str(error)
    return PooledHalves(pooled, tuple(groups), left_out, p, reason)


def _require_distinct_cases(tables: Sequence[pd.DataFrame]) -> None:
    case_ids = pd.concat([table["case_id"].drop_duplicates() for table in tables])
    repeated = case_ids[case_ids.duplicated()].nunique()
    if repeated:
        raise UndefinedMetricError(f"{counted(repeated, 'case')} in the test part of more than one fold")


def month_ticks(longest: float) -> np.ndarray:
    """Ticks of a time axis from 0 months to at most `longest`, in steps of months or years, eight at most.

    >>> month_ticks(70.0).tolist()
    [0, 12, 24, 36, 48, 60]
    """
    fitting = (step for step in _MONTH_STEPS if longest / step < _MAX_TICKS)
    step = next(fitting, int(np.ceil(longest / (_MAX_TICKS - 1))))
    return np.arange(0, int(longest) + 1, step)
