"""The charts of a run, as its own report and the report over all runs show them; each is drawn once.

The 1,000 resamples of a ROC band take most of the time of a report over many cases.
"""

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
    if "outcome" not in results.charts:
        tables = dict(results.tables)
        options = {"seed": results.run["seed"], "n_resamples": results.n_resamples, "words": results.classes}
        drawn = survival_charts(tables) if results.task == SURVIVAL else roc_charts(tables, **options)
        results.charts["outcome"] = tuple(drawn)
    return results.charts["outcome"]


def calibration(results: RunResults) -> tuple[Chart, ...]:
    """Predicted against observed probabilities."""
    if "calibration" not in results.charts:
        words = results.classes, results.unit
        drawn = calibration_charts(dict(results.tables), dict(results.outcomes) or None, *words)
        results.charts["calibration"] = tuple(drawn)
    return results.charts["calibration"]


def distributions(results: RunResults) -> tuple[Chart, ...]:
    """Where the predictions lie, and for classification which class is taken for which."""
    shown = dict(results.tables), results.classes, results.unit
    confusion = confusion_charts(*shown) if results.task == CLASSIFICATION else []
    return (*confusion, *risk_charts(*shown))


def learning(results: RunResults) -> tuple[Chart, ...]:
    """Loss and metric over epochs; none where no fold has a log."""
    return tuple(learning_charts(dict(results.logs), results.task, results.unit)) if results.logs else ()
