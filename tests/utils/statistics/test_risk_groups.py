from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from utils.statistics.risk_groups import month_ticks, pool, risk_groups, split_folds
from utils.statistics.survival_stats import UndefinedMetricError


def _table(risk: list[float], time: list[float], event: list[int]) -> pd.DataFrame:
    return pd.DataFrame({"risk": risk, "time": time, "event": event})


@pytest.fixture
def tables() -> dict[int, pd.DataFrame]:
    """Folds whose risks are on different scales, and one of a constant risk."""
    return {
        0: _table([-101.0, -99.0, -98.0, -100.0], [4.0, 3.0, 2.0, 1.0], [1, 0, 1, 1]),
        1: _table([103.0, 101.0, 102.0], [5.0, 6.0, 7.0], [0, 1, 1]),
        5: _table([0.5, 0.5], [5.0, 6.0], [1, 1]),
    }


def test_halves_are_split_within_each_fold(tables: dict[int, pd.DataFrame]):
    groups, left_out = split_folds(tables)
    assert left_out == {5: "all risks equal"}
    # A median over all cases would put the whole of fold 1 in the high half.
    assert groups[0].high.tolist() == [False, True, True, False]
    assert groups[1].high.tolist() == [True, False, False]  # the case at the median is not above it
    with pytest.raises(UndefinedMetricError, match="all risks equal"):
        risk_groups(tables[5])


def test_pooled_cases_keep_the_half_of_their_fold(tables: dict[int, pd.DataFrame]):
    pooled = pool(split_folds(tables)[0])
    assert pooled.time.tolist() == [4, 3, 2, 1, 5, 6, 7]
    assert pooled.event.tolist() == [True, False, True, True, False, True, True]
    assert pooled.high.tolist() == [False, True, True, False, True, False, False]
    assert pooled.event.dtype == pooled.high.dtype == np.bool_


@pytest.mark.parametrize("longest", [0.0, 0.4, 1, 5.5, 7, 8, 11, 60, 119.9, 300, 5000])
def test_ticks_are_whole_months_within_follow_up_and_few(longest: float):
    ticks = month_ticks(longest)
    assert ticks[0] == 0
    assert ticks[-1] <= max(longest, 0)
    assert len(ticks) <= 8
    assert longest < 2 or len(ticks) >= 3
