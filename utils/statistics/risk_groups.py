"""The risk halves of a survival run: the test cases of each fold split at its median risk, and pooled over folds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from utils.statistics.survival_stats import UndefinedMetricError, risk_halves

_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 36, 48, 60, 120, 240)
_MAX_TICKS = 8


@dataclass(frozen=True)
class RiskGroups:
    """Cases of one or several folds: `event` (n,) bool, `time` (n,) months, `high` (n,) bool."""

    event: np.ndarray
    time: np.ndarray
    high: np.ndarray


def risk_groups(table: pd.DataFrame) -> RiskGroups:
    """The halves of one fold, split at its median risk.

    Raises:
        UndefinedMetricError: no case has a risk above the median risk.
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


def month_ticks(longest: float) -> np.ndarray:
    """Ticks of a time axis from 0 months to at most `longest`, in steps of months or years, eight at most.

    >>> month_ticks(70.0).tolist()
    [0, 12, 24, 36, 48, 60]
    """
    fitting = (step for step in _MONTH_STEPS if longest / step < _MAX_TICKS)
    step = next(fitting, int(np.ceil(longest / (_MAX_TICKS - 1))))
    return np.arange(0, int(longest) + 1, step)
