from __future__ import annotations

import numpy as np
import pytest

from tests.utils.report.cohorts import survival_fold, table_of_survival
from tests.utils.report.pictures import as_values, check_picture, paths, shown_data, texts
from utils.report.charts.survival_chart import survival_charts
from utils.statistics.risk_groups import month_ticks, pool, split_folds
from utils.statistics.survival_stats import kaplan_meier, logrank_p, n_at_risk, survival_at


def test_the_chart_draws_the_kaplan_meier_curves_of_the_halves():
    tables = {fold: survival_fold(fold) for fold in range(2)}
    (chart,) = survival_charts(tables)
    check_picture(chart.svg)
    pooled = pool(split_folds(tables)[0])
    data, words = shown_data(chart.svg), texts(chart.svg)
    left, top, right, bottom = data["box"]
    for index, (high, name) in enumerate(((False, "low risk"), (True, "high risk"))):
        event, time = pooled.event[pooled.high == high], pooled.time[pooled.high == high]
        curve = kaplan_meier(event, time)
        full_name = f"{name} (n = {len(time)}, deaths {event.sum()})"
        assert full_name in words
        shown = data["series"][index]
        months = np.array(data["xs"])
        seen = months <= curve.time[-1]
        assert shown["n"] == name
        np.testing.assert_allclose(
            np.array(shown["y"])[seen].astype(float), survival_at(curve, months[seen]), atol=5e-4
        )
        assert set(np.array(shown["y"])[~seen]) <= {None}
        drawn = paths(chart.svg, "line", f"s{index}")[1]
        for month in months[seen][:-1]:
            x = left + (month + 0.013) / data["x"][1] * (right - left)
            height = drawn[np.flatnonzero(drawn[:, 0] <= x)[-1], 1]
            gap = np.abs(curve.time - month).min()
            if gap > 0.2:  # not within a rounded unit of a step
                assert (bottom - height) / (bottom - top) == pytest.approx(
                    survival_at(curve, np.array([month]))[0], abs=2e-3
                )
        limits = as_values(chart.svg, paths(chart.svg, "band", f"s{index}")[0])[:, 1]
        np.testing.assert_allclose((limits.min(), limits.max()), (curve.low.min(), curve.high.max()), atol=1e-3)
        for height in limits:
            assert np.abs(np.concatenate([curve.low, curve.high]) - height).min() < 1e-3
        for height in (*curve.low, *curve.high):
            assert np.abs(limits - height).min() < 0.03  # no more than what is left out of a band
        ticks = month_ticks(pooled.time.max())
        for count in n_at_risk(time, ticks):
            assert str(count) in words
        assert name in words
    assert {"time (months)", "probability of survival", "number at risk"} <= set(words)
    p = logrank_p(pooled.event, pooled.time, pooled.high)
    assert ("p < 0.001" if p < 0.001 else f"p = {p:.3f}") in chart.note
    assert "2 folds" in chart.note


def test_censored_cases_have_ticks_on_the_curve():
    time, event = np.array([10.0, 20.0, 30.0, 10.0, 20.0, 40.0]), np.array([1, 0, 1, 1, 1, 0])
    (chart,) = survival_charts({0: table_of_survival(time, event, np.array([1.0, 2.0, 3.0, 7.0, 8.0, 9.0]))})
    check_picture(chart.svg)
    left, top, right, bottom = shown_data(chart.svg)["box"]
    low, high = (path.mean(axis=0) for path in paths(chart.svg, "censored"))
    at = [(left + (x / 40) * (right - left), bottom - y * (bottom - top)) for x, y in ((20, 2 / 3), (40, 1 / 3))]
    np.testing.assert_allclose([low, high], at, atol=0.1)


def test_what_is_undefined_is_said():
    constant = table_of_survival(np.array([5.0, 6.0]), np.array([1, 1]), np.full(2, 0.5))
    (chart,) = survival_charts({3: constant})
    assert (chart.svg, chart.note) == ("", "No curve. Left out: fold 3 (all risks equal).")
    censored = table_of_survival(np.array([5.0, 0.5]), np.array([0, 0]), np.array([0.5, 0.7]))
    (chart,) = survival_charts({0: censored, 3: constant})
    check_picture(chart.svg)
    assert "log-rank p undefined (no events)" in chart.note
    assert "Left out: fold 3 (all risks equal)." in chart.note
    all_die = table_of_survival(np.arange(1.0, 9), np.ones(8), np.arange(8.0))
    check_picture(survival_charts({0: all_die})[0].svg)
    at_zero = table_of_survival(np.zeros(2), np.ones(2), np.array([0.5, 0.7]))
    check_picture(survival_charts({0: at_zero})[0].svg)


@pytest.mark.parametrize(("n", "kilobytes"), [(60, 12), (1000, 14)])
def test_the_picture_stays_small(n: int, kilobytes: int):
    (chart,) = survival_charts({fold: survival_fold(fold, n=n) for fold in range(4)})
    check_picture(chart.svg)
    assert len(chart.svg.encode()) < kilobytes * 1024


@pytest.mark.parametrize(("n_folds", "words"), [(1, ""), (2, ", test cases of 2 folds pooled")])
def test_the_note_says_where_the_halves_come_from(n_folds: int, words: str):
    (chart,) = survival_charts({fold: survival_fold(fold) for fold in range(n_folds)})
    assert chart.note.startswith(f"High: risk >= median of the fold{words}; hazard ratio ")
    assert ("stratified by fold" in chart.note) == ("share training cases" in chart.note) == (n_folds > 1)
    assert ("Released log-rank p, pooled and not stratified: " in chart.note) == (n_folds > 1)
