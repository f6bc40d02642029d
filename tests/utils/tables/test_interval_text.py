from __future__ import annotations

from utils.statistics.interval import Interval
from utils.statistics.metric_intervals import MetricInterval
from utils.tables.interval_text import without_interval


def test_reasons_stand_with_their_folds_and_apart_from_undefined_values():
    none, known = Interval(1.0, None, None, "no variance"), Interval(0.7, 0.5, 0.8)
    undefined = Interval(None, None, None, "no events")
    measured = {
        "c_index": MetricInterval({0: none, 1: known, 2: undefined, 3: none}, Interval(0.9, None, None, "a reason")),
        "auc": MetricInterval({0: known}, known),
    }
    of_folds = "no interval of the C-index: no variance (folds 0 and 3)"
    of_mean = "no interval of the mean C-index: a reason"
    assert list(without_interval(measured)) == [of_folds, of_mean]
    assert list(without_interval(measured, with_folds=False)) == [of_mean]
