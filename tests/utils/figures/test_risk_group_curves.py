from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from utils.figures.risk_group_curves import fold_risk_curves, pooled_risk_curves
from utils.files.text_table import format_p
from utils.runs.predictions import survival_table
from utils.statistics.group_effect import group_effect
from utils.statistics.risk_groups import pool, split_folds
from utils.statistics.survival_stats import kaplan_meier, logrank_p, n_at_risk


def _table(time: np.ndarray, event: np.ndarray, risk: np.ndarray, name: str = "P") -> pd.DataFrame:
    ids = [f"{name}-{index}" for index in range(len(time))]
    n = len(ids)
    return survival_table(ids, [[i] for i in ids], time, event, np.zeros(n), risk, np.full((n, 4), 0.5))


def _cohort(seed: int, offset: float, n: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    log_hazard = rng.normal(size=n)
    death, censoring = 30 * rng.exponential(np.exp(-log_hazard)), rng.uniform(1, 90, n)
    return _table(np.minimum(death, censoring), (death <= censoring).astype(int), log_hazard + offset, f"fold{seed}")


@pytest.fixture
def tables() -> dict[int, pd.DataFrame]:
    """Folds whose risks are on different scales, and one of a constant risk."""
    return {0: _cohort(0, offset=-100), 1: _cohort(1, offset=100), 5: _table([5, 6], [1, 1], [0.5, 0.5])}


def test_the_pooled_figure_draws_the_kaplan_meier_curves(tables: dict[int, pd.DataFrame]):
    figure = pooled_risk_curves(tables, "title")
    figure.canvas.draw()
    axes = figure.axes[0]
    pooled = pool(split_folds(tables)[0])
    lines = {" ".join(line.get_label().split()): line for line in axes.get_lines()}
    censor_marks = [line for line in axes.get_lines() if line.get_marker() == "|"]
    for is_high, name, marks in ((False, "low", censor_marks[0]), (True, "high", censor_marks[1])):
        event, time = pooled.event[pooled.high == is_high], pooled.time[pooled.high == is_high]
        curve = kaplan_meier(event, time)
        line = lines[f"{name} risk (n = 40, deaths {event.sum()})"]
        np.testing.assert_array_equal(line.get_xdata(), curve.time)
        np.testing.assert_array_equal(line.get_ydata(), curve.survival)
        assert line.get_drawstyle() == "steps-post"
        np.testing.assert_array_equal(marks.get_xdata(), np.sort(time[~event]))
        assert set(marks.get_ydata()) <= set(curve.survival)
    p = logrank_p(pooled.event, pooled.time, pooled.high)
    assert f"released log-rank p, pooled and not stratified: {format_p(p)}" in lines
    effect = group_effect(pooled.event, pooled.time, pooled.high, pooled.fold)
    shown = f"hazard ratio {effect.hazard_ratio:.2f} (95 % {effect.low:.2f} to {effect.high:.2f}), stratified by fold"
    assert shown in lines
    assert f"log-rank p = {format_p(effect.p)}, stratified by fold" in lines
    assert "folds share training cases" in figure.get_supxlabel()
    assert "fold 5: left out (all risks equal)" in lines
    assert "2 folds pooled" in figure.get_suptitle()
    assert axes.get_xlabel() == "time (months)"


def test_the_bands_are_the_limits(tables: dict[int, pd.DataFrame]):
    axes = pooled_risk_curves(tables, "title").axes[0]
    pooled = pool(split_folds(tables)[0])
    curve = kaplan_meier(pooled.event[~pooled.high], pooled.time[~pooled.high])
    corners = axes.collections[0].get_paths()[0].vertices
    assert set(curve.low) | set(curve.high) == set(corners[:, 1])


def test_numbers_at_risk_stand_below_the_ticks(tables: dict[int, pd.DataFrame]):
    axes, table_axes = pooled_risk_curves(tables, "title").axes
    pooled = pool(split_folds(tables)[0])
    ticks = axes.get_xticks()
    expected = {
        (float(tick), row): str(count)
        for row, is_high in enumerate((False, True))
        for tick, count in zip(ticks, n_at_risk(pooled.time[pooled.high == is_high], ticks), strict=True)
    }
    assert {text.get_position(): text.get_text() for text in table_axes.texts} == expected
    assert table_axes.get_xlim() == axes.get_xlim()
    assert [label.get_text() for label in table_axes.get_yticklabels()] == ["low risk", "high risk"]


def test_a_panel_per_fold(tables: dict[int, pd.DataFrame]):
    figure = fold_risk_curves(tables, "title")
    figure.canvas.draw()
    assert [axes.get_title() for axes in figure.axes] == ["fold 0", "fold 1", "fold 5"]
    groups, _ = split_folds(tables)
    curve = kaplan_meier(groups[1].event[groups[1].high], groups[1].time[groups[1].high])
    assert any(np.array_equal(line.get_ydata(), curve.survival) for line in figure.axes[1].get_lines())
    assert [line.get_label() for line in figure.axes[2].get_lines()] == ["no curves (all risks equal)"]


def test_no_fold_with_halves_and_no_events_can_be_drawn():
    constant = {0: _table([5, 6], [1, 1], [0.5, 0.5])}
    pooled_risk_curves(constant, "title").canvas.draw()
    censored = pooled_risk_curves({0: _table([5, 0.5], [0, 0], [0.5, 0.7])}, "title")
    censored.canvas.draw()
    assert "log-rank p undefined (no events)" in [line.get_label() for line in censored.axes[0].get_lines()]
