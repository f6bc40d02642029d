"""Kaplan-Meier curves of the risk halves of a survival run, pooled over test folds and fold by fold."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec

from utils.figures.palette import BLUE, VERMILION
from utils.figures.plotting import add_legend, add_note, new_figure, panels, tidy
from utils.statistics.effect_words import effect_words, released_words
from utils.statistics.risk_groups import SHARED_IN_SHORT, PooledHalves, RiskGroups, month_ticks, pooled_halves
from utils.statistics.survival_stats import kaplan_meier, n_at_risk, survival_at

_GROUPS = ((False, "low risk", BLUE), (True, "high risk", VERMILION))


def pooled_risk_curves(tables: dict[int, pd.DataFrame], title: str) -> Figure:
    """Survival of the two halves over all test folds, with 95 % limits, censoring ticks and numbers at risk.

    The legend has hazard ratio and log-rank p, stratified by fold, and the released log-rank p of the pooled cases. A
    fold without halves is left out and the legend says why.
    """
    pooled = pooled_halves(tables)
    n_folds = len(pooled.folds)
    heading = f"survival of the predicted risk halves, test cases of {n_folds} fold{'s' * (n_folds != 1)} pooled"
    return risk_group_figure(pooled, f"{title}\n{heading}", rule="high: risk >= median of the fold")


def risk_group_figure(pooled: PooledHalves, title: str, *, rule: str) -> Figure:
    """Survival of two groups of cases and how they differ; `rule` says how the cases were divided."""
    figure = new_figure(7.0, 5.8, title)
    grid = GridSpec(2, 1, figure=figure, height_ratios=[6, 1])
    axes, table_axes = figure.add_subplot(grid[0]), figure.add_subplot(grid[1])
    if pooled.folds:
        ticks = _draw_curves(axes, pooled.groups)
        _add_effect(axes, pooled)
        _draw_numbers_at_risk(table_axes, pooled.groups, ticks, axes.get_xlim())
    else:
        table_axes.set_axis_off()
    for fold, reason in pooled.left_out.items():
        add_note(axes, f"fold {fold}: left out ({reason})")
    _finish(axes, n_panels=1)
    caption = f"{rule}; bands: pointwise 95 % limits; ticks: censored cases"
    caveat = f"\n{SHARED_IN_SHORT}" if len(pooled.folds) > 1 else ""
    figure.supxlabel(f"{caption}{caveat}", fontsize=8)
    return figure


def fold_risk_curves(tables: dict[int, pd.DataFrame], title: str) -> Figure:
    """The same curves fold by fold, without numbers at risk."""
    figure, all_axes = panels(len(tables), f"{title}\nsurvival of the predicted risk halves in each test fold")
    for axes, fold in zip(all_axes, tables, strict=True):
        halves = pooled_halves({fold: tables[fold]})
        if halves.folds:
            _draw_curves(axes, halves.groups)
            _add_effect(axes, halves)
        else:
            add_note(axes, f"no curves ({halves.left_out[fold]})")
            axes.set_xticks([])
        axes.set_title(f"fold {fold}", fontsize=10)
        _finish(axes, n_panels=len(tables))
    return figure


def _draw_curves(axes: Axes, groups: RiskGroups) -> np.ndarray:
    """Both halves; returns the ticks of the time axis."""
    for is_high, name, colour in _GROUPS:
        chosen = groups.high == is_high
        event, time = groups.event[chosen], groups.time[chosen]
        curve = kaplan_meier(event, time)
        label = f"{name} (n = {len(time)}, deaths {event.sum()})"
        axes.step(curve.time, curve.survival, where="post", color=colour, label=label)
        axes.fill_between(curve.time, curve.low, curve.high, step="post", color=colour, alpha=0.15, linewidth=0)
        censored = np.sort(time[~event])
        heights = survival_at(curve, censored)
        axes.plot(censored, heights, "|", color=colour, markersize=6, markeredgewidth=0.7, label="_nolegend_")
    longest = float(groups.time.max())
    ticks = month_ticks(longest)
    axes.set_xticks(ticks)
    margin = 0.02 * max(longest, 1.0)
    axes.set_xlim(-margin, max(longest, 1.0) + margin)
    return ticks


def _add_effect(axes: Axes, halves: PooledHalves) -> None:
    for words in (*effect_words(halves), released_words(halves)):
        if words:
            add_note(axes, words)


def _draw_numbers_at_risk(axes: Axes, groups: RiskGroups, ticks: np.ndarray, limits: tuple[float, float]) -> None:
    """A row per half: the cases under observation just before each tick, below that tick."""
    axes.set_xlim(limits)
    axes.set_ylim(1.5, -0.5)
    for row, (is_high, _, colour) in enumerate(_GROUPS):
        for tick, count in zip(ticks, n_at_risk(groups.time[groups.high == is_high], ticks), strict=True):
            axes.text(float(tick), row, str(count), ha="center", va="center", color=colour, fontsize=9)
    axes.set_yticks([0, 1], [name for _, name, _ in _GROUPS], fontsize=9)
    axes.set_xticks([])
    axes.tick_params(left=False, pad=14)  # clear of a five-digit number at 0 months
    axes.spines[:].set_visible(False)
    axes.set_title("number at risk", fontsize=9, loc="left")


def _finish(axes: Axes, n_panels: int) -> None:
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("time (months)", fontsize=9)
    axes.set_ylabel("probability of survival", fontsize=9)
    add_legend(axes, "best", n_panels)
    tidy(axes)
