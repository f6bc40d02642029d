"""Predicted against observed probabilities."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from utils.files.phrases import counted
from utils.report.charts.chart import Chart, Plot, left_out_text, sentences
from utils.report.charts.svg import mark, short, tag
from utils.runs.predictions import output_columns, task_of
from utils.runs.tasks import CLASSIFICATION
from utils.statistics.calibration import (
    MAX_BINS,
    Reliability,
    brier_score,
    expected_calibration_error,
    n_groups,
    reliability,
    survival_reliability,
)
from utils.statistics.metrics import NO_TRAINING_OUTCOMES
from utils.statistics.survival_stats import UndefinedMetricError

_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def calibration_charts(tables: Mapping[int, pd.DataFrame], outcomes: Mapping[int, pd.DataFrame] | None) -> list[Chart]:
    """Reliability of class 1 (two classes), of each class, or of survival at the middle inner bin edge.

    Args:
        tables: {fold: predictions}.
        outcomes: survival: {fold: outcomes of the training cases}; without them the chart has no picture.
    """
    if task_of(next(iter(tables.values()))) == CLASSIFICATION:
        return _classification(tables)
    return [_survival(tables, outcomes or {})]


def _classification(tables: Mapping[int, pd.DataFrame]) -> list[Chart]:
    cases = pd.concat(tables.values(), ignore_index=True)
    names = output_columns(cases)
    charts = []
    for index in [1] if len(names) == 2 else range(len(names)):
        prob, occurred = np.clip(cases[names[index]].to_numpy(), 0, 1), (cases["label"] == index).to_numpy()
        bins = reliability(prob, occurred, n_groups(len(prob), MAX_BINS))
        title = f"Calibration of the probability of class {index}"
        note = sentences(
            f"{counted(len(prob), 'test slide')} of {counted(len(tables), 'fold')} in "
            f"{counted(len(bins.n), 'group')} of similar prediction; bars: 95 % Wilson limits; on the "
            "diagonal, predictions are right on average.",
            f"Expected calibration error {expected_calibration_error(bins):.3f}, "
            f"Brier score {brier_score(prob, occurred):.3f}.",
        )
        svg = _picture(bins, title, "slide", f"predicted probability of class {index}", "observed share")
        charts.append(Chart(title, svg, note))
    return charts


def _survival(tables: Mapping[int, pd.DataFrame], outcomes: Mapping[int, pd.DataFrame]) -> Chart:
    title = "Calibration of the predicted survival"
    if not outcomes:
        return Chart(title, "", f"No curve: {NO_TRAINING_OUTCOMES}.")
    try:
        result = survival_reliability(tables, outcomes)
    except UndefinedMetricError as error:
        return Chart(title, "", f"No curve: {error}.")
    first, last = min(result.edges.values()), max(result.edges.values())
    edges = f"{first:.3g}" if f"{first:.3g}" == f"{last:.3g}" else f"{first:.3g} to {last:.3g}"
    bins = result.groups
    unknown = int(np.isnan(bins.observed).sum())
    if unknown == len(bins.n):
        return Chart(title, "", "No curve: nobody is under observation at the middle inner edge of the time bins.")
    note = sentences(
        f"Survival beyond the middle inner edge of each fold's time bins ({edges} months).",
        f"{counted(int(bins.n.sum()), 'test case')} in {counted(len(bins.n), 'group')} of similar prediction "
        "over all folds; observed: Kaplan-Meier with time in units of each fold's edge; bars: 95 % log-log "
        "limits (none at 0 or 1).",
        f"Without a point: {counted(unknown, 'group')} with nobody under observation at the edge." if unknown else "",
        left_out_text(result.left_out),
    )
    svg = _picture(bins, title, "case", "predicted probability of survival", "observed probability of survival")
    return Chart(title, svg, note)


def _picture(bins: Reliability, title: str, noun: str, x_label: str, y_label: str) -> str:
    plot = Plot((0, 1), (0, 1), height=None)
    plot.x_axis(_TICKS, x_label)
    plot.y_axis(_TICKS, y_label)
    plot.diagonal()
    plot.frame()
    plot.line(bins.predicted, bins.observed, 0, more="thin")
    for predicted, observed, low, high, n in zip(*_columns(bins), strict=True):
        if np.isnan(observed):
            continue
        at = float(plot.x(predicted))
        drawn, limits = mark(0, at, float(plot.y(observed)), class_="mark s0"), ""
        if not np.isnan(low):
            limits = f" ({low:.3f} to {high:.3f})"
            drawn = (
                tag("path", class_="whisker s0", d=f"M{short(at)} {short(plot.y(low))}V{short(plot.y(high))}") + drawn
            )
        tip = f"predicted {predicted:.3f}\nobserved {observed:.3f}{limits}\n{counted(n, noun)}"
        plot.add(tag("g", drawn, data_tip=tip))
    return plot.svg(title, f"{counted(len(bins.n), 'group')} of {noun}s.")


def _columns(bins: Reliability) -> tuple[np.ndarray, ...]:
    return bins.predicted, bins.observed, bins.low, bins.high, bins.n
