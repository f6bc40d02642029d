from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from utils.statistics.group_effect import group_effect
from utils.statistics.risk_groups import month_ticks, pool, pooled_halves, risk_groups, split_folds
from utils.statistics.survival_stats import UndefinedMetricError


def _table(risk: list[float], time: list[float], event: list[int], *, case_ids: str) -> pd.DataFrame:
    return pd.DataFrame({"case_id": list(case_ids), "risk": risk, "time": time, "event": event})


@pytest.fixture
def tables() -> dict[int, pd.DataFrame]:
    """Folds whose risks are on different scales, and one of a constant risk."""
    return {
        0: _table([-101.0, -99.0, -98.0, -100.0], [4.0, 3.0, 2.0, 1.0], [1, 0, 1, 1], case_ids="abcd"),
        1: _table([103.0, 101.0, 102.0], [5.0, 6.0, 7.0], [0, 1, 1], case_ids="efg"),
        5: _table([0.5, 0.5], [5.0, 6.0], [1, 1], case_ids="hi"),
    }


def test_halves_are_split_within_each_fold(tables: dict[int, pd.DataFrame]):
    groups, left_out = split_folds(tables)
    assert left_out == {5: "all risks equal"}
    # A median over all cases would put the whole of fold 1 in the high half.
    assert groups[0].high.tolist() == [False, True, True, False]  # the median is -99.5
    assert groups[1].high.tolist() == [True, False, True]  # the median is 102: high is at or above it
    with pytest.raises(UndefinedMetricError, match="all risks equal"):
        risk_groups(tables[5])


def test_pooled_cases_keep_the_half_of_their_fold(tables: dict[int, pd.DataFrame]):
    pooled = pool(split_folds(tables)[0])
    assert pooled.time.tolist() == [4, 3, 2, 1, 5, 6, 7]
    assert pooled.event.tolist() == [True, False, True, True, False, True, True]
    assert pooled.high.tolist() == [False, True, True, False, True, False, True]
    assert pooled.event.dtype == pooled.high.dtype == np.bool_


def test_the_pooled_p_of_a_hand_worked_table(tables: dict[int, pd.DataFrame]):
    # The high half dies at 2 and 7 and is censored at 3 and 5; the low half dies at 1, 4 and 6. n at risk, n_1 of them
    # high, one death each.
    #  t   n  n_1   expected   variance (n - 1) n_1 (n - n_1) / (n^2 (n - 1))
    #  1   7   4      4/7        12/49
    #  2   6   4      2/3         8/36
    #  4   4   2      1/2         1/4
    #  6   2   1      1/2         1/4
    #  7   1   1       1           0
    # Observed 2, expected 68/21, variance 853/882: chi-squared (26/21)^2 / (853/882) = 1352/853.
    pooled = pooled_halves(tables)
    assert pooled.p == pytest.approx(math.erfc(math.sqrt(1352 / 853 / 2)), abs=1e-12)
    assert (pooled.folds, pooled.left_out, pooled.reason) == ((0, 1), {5: "all risks equal"}, None)
    assert pooled.groups.time.tolist() == [4, 3, 2, 1, 5, 6, 7]


def test_the_pooled_p_is_of_the_pooled_cases_and_not_stratified(tables: dict[int, pd.DataFrame]):
    parts = pd.concat([tables[0], tables[1]]).assign(fold=[0] * 4 + [1] * 3)
    high = (parts["risk"] >= parts.groupby("fold")["risk"].transform("median")).to_numpy()
    assert pooled_halves(tables).p == pytest.approx(slow_logrank(parts["event"], parts["time"], high), abs=1e-12)
    shuffled = {fold: table.sample(frac=1, random_state=fold) for fold, table in reversed(tables.items())}
    assert pooled_halves(shuffled).p == pytest.approx(pooled_halves(tables).p, abs=1e-12)


def slow_logrank(event: pd.Series, time: pd.Series, high: np.ndarray) -> float:
    """The log-rank p value, case by case, from the formula of the textbooks."""
    cases = list(zip(event, time, high, strict=True))
    difference, variance = 0.0, 0.0
    for t in sorted({time for event, time, _ in cases if event}):
        at_risk = [case for case in cases if case[1] >= t]
        deaths = [case for case in at_risk if case[1] == t and case[0]]
        n, n_1, d = len(at_risk), sum(case[2] for case in at_risk), len(deaths)
        difference += sum(case[2] for case in deaths) - d * n_1 / n
        variance += d * (n - d) * n_1 * (n - n_1) / (n * n * (n - 1)) if n > 1 else 0.0
    return math.erfc(math.sqrt(difference**2 / variance / 2))


def test_the_effect_is_stratified_by_fold(tables: dict[int, pd.DataFrame]):
    pooled = pooled_halves(tables)
    assert pooled.groups.fold.tolist() == [0] * 4 + [1] * 3
    expected = group_effect(pooled.groups.event, pooled.groups.time, pooled.groups.high, pooled.groups.fold)
    assert pooled.effect == expected
    assert pooled.effect.p != pytest.approx(pooled.p)


def test_one_fold_alone_is_its_own_pool(tables: dict[int, pd.DataFrame]):
    one, groups = pooled_halves({1: tables[1]}), risk_groups(tables[1])
    assert one.p == pytest.approx(slow_logrank(tables[1]["event"], tables[1]["time"], groups.high), abs=1e-12)
    assert one.folds == (1,)
    assert one.effect.p == pytest.approx(one.p)


def test_why_the_pooled_p_is_undefined(tables: dict[int, pd.DataFrame]):
    alone = pooled_halves({5: tables[5]})
    assert (alone.p, alone.reason, alone.folds) == (None, "no fold has two halves", ())
    assert alone.left_out == {5: "all risks equal"}
    assert len(alone.groups.event) == len(alone.groups.time) == len(alone.groups.high) == 0
    censored = pooled_halves({fold: table.assign(event=0) for fold, table in tables.items()})
    assert (censored.p, censored.reason, censored.folds) == (None, "no events", (0, 1))


def test_a_case_in_two_test_folds_is_not_pooled_twice(tables: dict[int, pd.DataFrame]):
    again = tables | {7: tables[0], 8: tables[0].head(2)}
    pooled = pooled_halves(again)
    assert (pooled.p, pooled.reason) == (None, "4 cases in the test part of more than one fold")
    assert pooled.folds == (0, 1, 7, 8)
    assert pooled.effect.reasons == dict.fromkeys(("hazard_ratio", "p"), pooled.reason)
    only_one = pooled_halves(tables | {7: tables[0].assign(case_id=list("axyz"))})
    assert only_one.reason == "1 case in the test part of more than one fold"
    # The cases of a fold that is left out are not pooled, so they may stand elsewhere.
    assert pooled_halves(tables | {5: tables[5].assign(case_id=["a", "b"])}).p == pooled_halves(tables).p


@pytest.mark.parametrize("longest", [0.0, 0.4, 1, 5.5, 7, 8, 11, 60, 119.9, 300, 5000])
def test_ticks_are_whole_months_within_follow_up_and_few(longest: float):
    ticks = month_ticks(longest)
    assert ticks[0] == 0
    assert ticks[-1] <= max(longest, 0)
    assert len(ticks) <= 8
    assert longest < 2 or len(ticks) >= 3
