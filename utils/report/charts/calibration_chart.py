"""Predicted against observed probabilities."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from utils.files.phrases import counted
from utils.report.charts.chart import Chart, Plot, left_out_text, of_models, sentences
from utils.report.charts.svg import mark, short, tag
from utils.runs.class_words import ClassWords
from utils.runs.predictions import output_columns, task_of
from utils.runs.run_record import DEFAULT_SEED
from utils.runs.tasks import CLASSIFICATION
from utils.statistics.calibration import (
    MAX_BINS,
    Reliability,
    brier_score,
    expected_calibration_error,
    n_groups,
    reliability,
    survival_reliability,
    training_edges,
)
from utils.statistics.class_calibration import calibration_error_if_calibrated
from utils.statistics.survival_stats import UndefinedMetricError

_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def calibration_charts(
    tables: Mapping[int, pd.DataFrame],
    outcomes: Mapping[int, pd.DataFrame] | None,
    words: ClassWords | None = None,
    unit: str = "slide",
    *,
    is_ensemble: bool = False,
) -> list[Chart]:
    """Reliability of class 1 (two classes), of each class, or of survival at the middle inner bin edge.

    Args:
        tables: {fold: predictions}.
        outcomes: survival: {fold: outcomes of the training cases}; without them the chart has no picture.
        words: names of the classes.
        unit: what one prediction of a classification run is about.
        is_ensemble: the one table is of the ensemble of folds.
    """
    if task_of(next(iter(tables.values()))) == CLASSIFICATION:
        return _classification(tables, words, unit, of_models(len(tables), is_ensemble=is_ensemble))
    edges, left_out = training_edges(tables, outcomes or {})
    return [survival_chart(tables, edges, left_out)]


def _classification(tables: Mapping[int, pd.DataFrame], words: ClassWords | None, unit: str, whose: str) -> list[Chart]:
    cases = pd.concat(tables.values(), ignore_index=True)
    names = output_columns(cases)
    words = words or ClassWords.numbered(len(names))
    patient = cases["case_id"].to_numpy()
    n_patients = len(np.unique(patient))
    of_patients = " that count patients" if n_patients < len(patient) else ""
    charts = []
    for index in [1] if len(names) == 2 else range(len(names)):
        prob, occurred = np.clip(cases[names[index]].to_numpy(), 0, 1), (cases["label"] == index).to_numpy()
        bins = reliability(prob, occurred, n_groups(n_patients, MAX_BINS), patient)
        expected = calibration_error_if_calibrated(np.stack([1 - prob, prob], axis=1), patient, seed=DEFAULT_SEED)
        share = occurred.mean()
        title = f"Calibration of the probability of {words.full(index)}"
        note = sentences(
            f"{counted(len(prob), f'test {unit}')} of {whose} in "
            f"{counted(len(bins.n), 'group')} of similar prediction; bars: 95 % Wilson limits{of_patients}; on "
            "the diagonal, predictions are right on average.",
            f"Expected calibration error {expected_calibration_error(bins):.3f} ({expected:.3f} expected of a "
            "perfectly calibrated model with these predictions).",
            f"Brier score {brier_score(prob, occurred):.3f} ({share * (1 - share):.3f} of the share of the class, the "
            "best constant).",
        )
        svg = _picture(bins, title, unit, f"predicted probability of {words.full(index)}", "observed share")
        charts.append(Chart(title, svg, note))
    return charts


def survival_chart(
    tables: Mapping[int, pd.DataFrame],
    inner_edges: Mapping[int, np.ndarray],
    without_edges: Mapping[int, str],
    *,
    is_ensemble: bool = False,
) -> Chart:
    """Predicted survival against Kaplan-Meier at the middle inner edge of each fold's time bins.

    Args:
        tables: {fold: predictions}.
        inner_edges: {fold: inner edges of its time bins in months}.
        without_edges: {fold: why it has none}.
        is_ensemble: the one table, and the edges, are of the ensemble of folds.
    """
    title = "Calibration of the predicted survival"
    try:
        if not inner_edges:
            raise UndefinedMetricError("; ".join(dict.fromkeys(without_edges.values())))
        result = survival_reliability(tables, inner_edges)
    except UndefinedMetricError as error:
        return Chart(title, "", f"No curve: {error}.")
    first, last = min(result.edges.values()), max(result.edges.values())
    edges = f"{first:.3g}" if f"{first:.3g}" == f"{last:.3g}" else f"{first:.3g} to {last:.3g}"
    bins = result.groups
    unknown = int(np.isnan(bins.observed).sum())
    if unknown == len(bins.n):
        return Chart(title, "", "No curve: nobody is under observation at the middle inner edge of the time bins.")
    whose = "the ensemble's" if is_ensemble else "each fold's"
    more = (
        "; observed: Kaplan-Meier"
        if is_ensemble
        else (" over all folds; observed: Kaplan-Meier with time in units of each fold's edge")
    )
    note = sentences(
        f"Survival beyond the middle inner edge of {whose} time bins ({edges} months).",
        f"{counted(int(bins.n.sum()), 'test case')} in {counted(len(bins.n), 'group')} of similar prediction{more}; "
        "bars: 95 % log-log limits (none at 0 or 1).",
        f"Without a point: {counted(unknown, 'group')} with nobody under observation at the edge." if unknown else "",
        left_out_text(dict(sorted({**without_edges, **result.left_out}.items()))),
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
