"""Kaplan-Meier curves of the predicted risk halves of a survival run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from utils.report.charts.chart import WIDTH, Chart, Key, Plot, left_out_text, look, sentences
from utils.report.charts.scale import nice_ticks
from utils.report.charts.svg import short, tag, text, thinned_steps
from utils.statistics.effect_words import effect_words, pooled_caveat
from utils.statistics.risk_groups import PooledHalves, RiskGroups, month_ticks, pooled_halves
from utils.statistics.survival_stats import KaplanMeier, kaplan_meier, n_at_risk, survival_at

TITLE = "Survival of the predicted risk halves"
_HALVES = ((False, "low risk"), (True, "high risk"))
_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_CURVE_POINTS, _BAND_POINTS = 120, 60
_TICK_APART = 2.5  # units: one tick for the censored cases on one spot
_READINGS = 80
_ROW = 19.0


def survival_charts(tables: Mapping[int, pd.DataFrame]) -> list[Chart]:
    """Survival of the halves (high: risk >= median of the fold), test cases of all folds pooled.

    Drawn are the Kaplan-Meier curves with pointwise 95 % limits (`utils.statistics.survival_stats.kaplan_meier`), a
    tick at each censored case and the numbers at risk; the legend gives hazard ratio and log-rank p, stratified by fold
    where there are several, and the note also the released p of the pooled cases and what is wrong with either. A fold
    without halves is left out and the note says why.
    """
    pooled = pooled_halves(tables)
    if not pooled.folds:
        return [Chart(TITLE, "", sentences("No curve.", left_out_text(pooled.left_out)))]
    n_folds = len(pooled.folds)
    rule = f"High: risk >= median of the fold{f', test cases of {n_folds} folds pooled' * (n_folds > 1)}"
    return [risk_group_chart(pooled, TITLE, rule=rule)]


def risk_group_chart(pooled: PooledHalves, title: str, *, rule: str) -> Chart:
    """Survival of two groups of cases; `rule` says how the cases were divided."""
    effect = effect_words(pooled)
    note = sentences(
        f"{rule}; {', '.join(effect)}.",
        *pooled_caveat(pooled),
        "Bands: pointwise 95 % limits; ticks: censored cases.",
        left_out_text(pooled.left_out),
    )
    return Chart(title, _picture(pooled.groups, effect, title), note)


def _picture(groups: RiskGroups, effect: Sequence[str], title: str) -> str:
    halves = [(name, groups.event[groups.high == high], groups.time[groups.high == high]) for high, name in _HALVES]
    names = [f"{name} (n = {len(time)}, deaths {event.sum()})" for name, event, time in halves]
    longest = max(float(groups.time.max()), 1.0)
    legend = [*(Key(name, look(index)) for index, name in enumerate(names)), *(Key(one, "", "none") for one in effect)]
    plot = Plot((0, longest), (0, 1), legend=legend, left=94, below=112)
    ticks = month_ticks(longest)
    plot.x_axis([float(tick) for tick in ticks], "time (months)")
    plot.y_axis(_TICKS, "probability of survival")
    curves = [kaplan_meier(event, time) for _, event, time in halves]
    for index, curve in enumerate(curves):
        _draw_band(plot, curve, index)
    for index, (curve, (name, event, time)) in enumerate(zip(curves, halves, strict=True)):
        _draw_curve(plot, curve, name, time[~event], index)
    plot.frame()
    _draw_numbers(plot, [(name, time) for name, _, time in halves], ticks)
    return plot.svg(title, f"{'; '.join(names)}; {', '.join(effect)}.", x_name="month")


def _draw_band(plot: Plot, curve: KaplanMeier, index: int) -> None:
    kept = thinned_steps(plot.x(curve.time), plot.y(curve.low), _BAND_POINTS)
    plot.band(curve.time[kept], curve.low[kept], curve.high[kept], index, step=True)


def _draw_curve(plot: Plot, curve: KaplanMeier, name: str, censored: np.ndarray, index: int) -> None:
    kept = thinned_steps(plot.x(curve.time), plot.y(curve.survival), _CURVE_POINTS)
    plot.line(curve.time[kept], curve.survival[kept], index, step=True)
    censored = np.sort(censored)
    across, heights = plot.x(censored), plot.y(survival_at(curve, censored))
    apart = np.flatnonzero(np.diff(np.floor(across / _TICK_APART), prepend=-1) > 0)
    path = "".join(f"M{short(x)} {short(y - 4)}v8" for x, y in zip(across[apart], heights[apart], strict=True))
    if path:
        plot.add(tag("path", class_=f"censored s{index}", d=path))
    stops = np.array(nice_ticks(0.0, plot.x.high, _READINGS))  # months
    at = np.searchsorted(curve.time, stops, side="right") - 1
    seen = stops <= curve.time[-1]  # the follow-up of this half ends there
    survival, low, high = (np.where(seen, column[at], np.nan) for column in (curve.survival, curve.low, curve.high))
    plot.hover(name, index, stops, survival, low=low, high=high)


def _draw_numbers(plot: Plot, halves: list[tuple[str, np.ndarray]], ticks: np.ndarray) -> None:
    """A row per half: the cases under observation just before each tick, below that tick."""
    top = plot.bottom + 62
    plot.add(text(8, top, "number at risk", class_="key muted", width=WIDTH - 16))
    for row, (name, time) in enumerate(halves):
        y = top + _ROW * (row + 1)
        plot.add(text(8, y, name, class_="key"))
        for tick, count in zip(ticks, n_at_risk(time, ticks), strict=True):
            plot.add(text(float(plot.x(tick)), y, str(count), class_="tick mid"))
