from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from tests.utils.report.cohorts import classification_fold, survival_fold, table_of_classes, table_of_survival
from utils.statistics.delong import auc_interval
from utils.statistics.interval import Interval, logit_limits
from utils.statistics.jackknife import metric_jackknife
from utils.statistics.metric_intervals import MetricInterval, mean_estimate, metric_intervals
from utils.tables.summary import fold_metrics


def _two_classes(label: list[int], positive: list[float]):
    return table_of_classes(np.array(label), np.stack([1 - np.array(positive), np.array(positive)], axis=1))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_each_metric_has_its_interval(n_classes: int):
    tables = {fold: classification_fold(fold, n=20, n_classes=n_classes) for fold in (0, 3)}
    tables[3].loc[4:6, "case_id"] = "one patient"  # with three slides
    tables[3].loc[4:6, "label"] = 1
    for fold, table in tables.items():
        table["case_id"] = [f"fold {fold}, {name}" for name in table["case_id"]]
    result = metric_intervals(tables)
    assert set(result) == {"acc", "f1", "auc"}
    for metric, intervals in result.items():
        for fold, interval in intervals.per_fold.items():
            assert interval.value == pytest.approx(fold_metrics(tables[fold])[metric])
        assert intervals.overall.value == pytest.approx(np.mean([one.value for one in intervals.per_fold.values()]))
        assert intervals.overall.low < intervals.overall.value < intervals.overall.high
    sizes = {0: 20, 3: 20**2 / (17 + 9)}
    for fold, interval in result["acc"].per_fold.items():
        wilson = proportion_confint(interval.value * sizes[fold], sizes[fold], method="wilson")
        assert (interval.low, interval.high) == pytest.approx(wilson)
    estimates = {fold: metric_jackknife("f1", [table]) for fold, table in tables.items()}
    for fold, interval in result["f1"].per_fold.items():
        assert (interval.low, interval.high) == logit_limits(estimates[fold].value, estimates[fold].variance)
    overall, variance = result["f1"].overall, sum(estimate.variance for estimate in estimates.values()) / 4
    assert (overall.low, overall.high) == pytest.approx(logit_limits(overall.value, 1.5 * variance))


def test_the_auc_of_two_classes_is_that_of_delong_and_obuchowski():
    tables = {fold: classification_fold(fold, n=30) for fold in (0, 1)}
    tables[1]["case_id"] = [f"p{row // 2}" for row in range(30)]
    for fold, interval in metric_intervals(tables)["auc"].per_fold.items():
        table = tables[fold]
        expected = auc_interval((table["label"] == 1).to_numpy(), table["prob_1"].to_numpy(), table["case_id"])
        assert (interval.value, interval.low, interval.high) == (expected.auc, expected.low, expected.high)


# d <- pROC::aSAH[1:40, ]; r <- roc(d$outcome, d$s100b, levels = c("Good", "Poor"), direction = "<"); a <- auc(r)
# q <- qnorm(.975) * sqrt(var(r, method = "delong")) / (a * (1 - a)); c(a, plogis(qlogis(a) + c(-q, q)))  (R 4.2)
OF_R = (0.7421875, 0.5474212660, 0.8726373753)
POOR = "0 0 0 0 1 1 0 1 0 0 1 0 1 1 0 0 1 0 1 1 1 0 1 0 0 0 0 0 0 0 0 0 1 0 0 1 1 0 1 1"
S100B = """0.13 0.14 0.1 0.04 0.13 0.1 0.47 0.16 0.18 0.1 0.12 0.1 0.44 0.71 0.04 0.08 0.49 0.04 0.07 0.33 0.09 0.09
0.07 0.11 0.07 0.17 0.07 0.11 0.13 0.19 0.05 0.16 0.41 0.14 0.34 0.35 0.48 0.09 0.96 0.25"""


def test_the_limits_of_r():
    table = _two_classes([int(one) for one in POOR.split()], [float(one) for one in S100B.split()])
    interval = metric_intervals({0: table})["auc"].overall
    assert (interval.value, interval.low, interval.high) == pytest.approx(OF_R, abs=1e-9)


def test_separated_classes_have_a_lower_limit_and_no_point():
    table = _two_classes([1, 1, 1, 1, 0, 0, 0], [0.9, 0.8, 0.7, 0.6, 0.3, 0.2, 0.1])
    result = metric_intervals({0: table, 1: table.assign(case_id=[f"other {i}" for i in range(7)])})
    one = 0.025 ** (1 / 3)
    assert result["auc"].per_fold[0] == Interval(1.0, one, 1.0)
    assert result["auc"].overall == Interval(1.0, pytest.approx(0.025 ** (1.5 / 6)), 1.0)
    assert result["acc"].per_fold[0].low == pytest.approx(proportion_confint(7, 7, method="wilson")[0])
    reason = "a value of 1 has no variance to tell limits from"
    assert result["f1"].per_fold[0] == result["f1"].overall == Interval(1.0, None, None, reason)


def test_patients_in_several_test_parts_leave_the_mean_without_an_interval():
    """Repeated random splits: each copy of a patient would make it narrower."""
    table = classification_fold(0, n=20)
    result = metric_intervals({0: table, 1: table})
    for intervals in result.values():
        assert intervals.per_fold[0].low is not None
        assert intervals.overall.value == pytest.approx(intervals.per_fold[0].value)
        assert intervals.overall.low is None
        assert intervals.overall.reason == "20 patients in the test part of more than one fold"


def test_a_patient_with_slides_of_both_classes_spoils_the_exact_limit():
    table = _two_classes([1, 1, 0, 0], [0.9, 0.8, 0.2, 0.1])
    table["case_id"] = ["a", "b", "b", "c"]
    assert metric_intervals({0: table})["auc"].overall.low is None


def test_a_constant_score_has_a_value_and_no_limits():
    table = _two_classes([1, 1, 0, 0], [0.5] * 4)
    assert metric_intervals({0: table})["auc"].overall == Interval(0.5, None, None, "constant score")


def test_a_fold_without_a_variance_leaves_the_mean_without_limits():
    one_positive = _two_classes([1, 0, 0], [0.5, 0.7, 0.2])
    result = metric_intervals({0: classification_fold(0), 1: one_positive})["auc"]
    assert result.per_fold[0].low is not None
    assert result.per_fold[1] == Interval(0.5, None, None, "one case on a side has no variance")
    assert result.overall.reason == "one case on a side has no variance"


def test_undefined_folds_say_why_and_are_not_averaged():
    one_class = _two_classes([1, 1], [0.6, 0.8])
    result = metric_intervals({0: classification_fold(0), 1: one_class})
    assert result["auc"].per_fold[1] == Interval(None, None, None, "only class 1 among the labels")
    assert result["auc"].overall == result["auc"].per_fold[0]
    overall = metric_intervals({1: one_class})["auc"].overall
    assert (overall.value, overall.reason) == (None, "undefined in every fold (only class 1 among the labels)")


def test_a_fold_without_cases():
    good = classification_fold(0)
    result = metric_intervals({0: good, 1: good.iloc[:0]})
    for intervals in result.values():
        assert intervals.per_fold[1] == Interval(None, None, None, "no case")
        assert intervals.overall == intervals.per_fold[0]
    assert metric_intervals({1: good.iloc[:0]})["acc"].overall == Interval(None, None, None, "no case")


def test_survival_without_events_or_pairs():
    censored = table_of_survival(np.array([1.0, 2.0]), np.array([0, 0]), np.arange(2.0))
    last = table_of_survival(np.array([1.0, 2.0]), np.array([0, 1]), np.arange(2.0))
    per_fold = metric_intervals({0: censored, 1: last})["c_index"].per_fold
    assert [interval.reason for interval in per_fold.values()] == ["no events", "no comparable pair"]


def test_the_c_index_of_a_fold_has_the_interval_of_the_summary():
    tables = {fold: survival_fold(fold, n=50) for fold in (0, 1)}
    for fold, interval in metric_intervals(tables)["c_index"].per_fold.items():
        summary = fold_metrics(tables[fold])
        assert (interval.value, interval.low, interval.high) == tuple(
            summary[name] for name in ("c_index", "c_index_low", "c_index_high")
        )


def test_the_mean_of_models_of_one_fold():
    label = [1, 1, 0, 0]
    separated, other = _two_classes(label, [0.9, 0.8, 0.2, 0.1]), _two_classes(label, [0.9, 0.2, 0.3, 0.1])
    assert mean_estimate([separated, separated], "auc").disjoint_pairs == 2
    estimate = mean_estimate([separated, other], "auc")
    assert estimate == replace(metric_jackknife("auc", [separated, other]), disjoint_pairs=2)
    assert mean_estimate([_two_classes([1, 1], [0.6, 0.8])], "auc") is None


def test_intervals_come_back_from_json():
    tables = {0: classification_fold(0), 1: _two_classes([1, 1], [0.6, 0.8])}
    for intervals in metric_intervals(tables).values():
        content = json.loads(json.dumps(intervals.as_json(), allow_nan=False))
        assert MetricInterval.of_json(content) == intervals


def test_calls_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match=r"expected a column prob_0 \(cls\) or hazard_0 \(surv\), found case_id"):
        metric_intervals({0: survival_fold(0)[["case_id"]]})
    with pytest.raises(ValueError, match="at least one fold"):
        metric_intervals({})
