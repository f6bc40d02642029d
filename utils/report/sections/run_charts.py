"""The charts of a run, as its own report and the report over all runs show them."""

from __future__ import annotations

from utils.report.charts.calibration_chart import calibration_charts
from utils.report.charts.chart import Chart
from utils.report.charts.confusion_chart import confusion_charts
from utils.report.charts.learning_chart import learning_charts
from utils.report.charts.risk_chart import risk_charts
from utils.report.charts.roc_chart import roc_charts
from utils.report.charts.survival_chart import survival_charts
from utils.report.run_results import RunResults
from utils.runs.tasks import CLASSIFICATION, SURVIVAL


def outcome_charts(results: RunResults) -> tuple[Chart, ...]:
    """ROC curves with their band, or Kaplan-Meier curves of the risk halves."""
    if results.task == SURVIVAL:
        return tuple(survival_charts(dict(results.tables)))
    seed = results.run["seed"]
    options = {"seed": seed, "n_resamples": results.n_resamples, "words": results.classes}
    return tuple(roc_charts(dict(results.tables), **options))


def calibration(results: RunResults) -> tuple[Chart, ...]:
    """Predicted against observed probabilities."""
    words = results.classes, results.unit
    return tuple(calibration_charts(dict(results.tables), dict(results.outcomes) or None, *words))


def distributions(results: RunResults) -> tuple[Chart, ...]:
    """Where the predictions lie, and for classification which class is taken for which."""
    shown = dict(results.tables), results.classes, results.unit
    confusion = confusion_charts(*shown) if results.task == CLASSIFICATION else []
    return (*confusion, *risk_charts(*shown))


def learning(results: RunResults) -> tuple[Chart, ...]:
    """Loss and metric over epochs; none where no fold has a log."""
    return tuple(learning_charts(dict(results.logs), results.task, results.unit)) if results.logs else ()
