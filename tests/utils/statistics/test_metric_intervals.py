from __future__ import annotations

import numpy as np
import pytest

from tests.utils.report.cohorts import classification_fold, survival_fold, table_of_classes, table_of_survival
from utils.machine.seed import derive_seed
from utils.statistics.metric_intervals import Interval, metric_intervals
from utils.statistics.survival_stats import resample_counts
from utils.tables.summary import fold_metrics


@pytest.mark.parametrize("task", ["cls", "surv"])
def test_intervals_are_those_of_literal_resamples(task: str):
    make = classification_fold if task == "cls" else survival_fold
    tables = {fold: make(fold, n=20) for fold in (0, 3)}
    if task == "cls":
        tables[3].loc[4:6, "case_id"] = "one patient"  # with three slides
    result = metric_intervals(tables, seed=9, n_resamples=30)
    for metric, intervals in result.items():
        values = {}
        for fold, table in tables.items():
            patients = np.unique(table["case_id"].to_numpy(dtype=str))
            values[fold] = []
            for counts in resample_counts(len(patients), 30, derive_seed(9, "metric intervals", fold)):
                copies = dict(zip(patients, counts, strict=True))
                drawn = table.loc[table.index.repeat([copies[case] for case in table["case_id"]])]
                values[fold].append(fold_metrics(drawn, seed=0, n_resamples=0)[metric])
            interval = intervals.per_fold[fold]
            assert np.isclose(interval.value, fold_metrics(table, seed=0, n_resamples=0)[metric])
            if task == "cls":
                np.testing.assert_allclose((interval.low, interval.high), np.percentile(values[fold], (2.5, 97.5)))
        means = np.mean([values[fold] for fold in tables], axis=0)
        np.testing.assert_allclose((intervals.overall.low, intervals.overall.high), np.percentile(means, (2.5, 97.5)))
        assert np.isclose(intervals.overall.value, np.mean([one.value for one in intervals.per_fold.values()]))
    assert set(result) == ({"acc", "f1", "auc"} if task == "cls" else {"c_index"})


def test_undefined_folds_say_why_and_are_not_averaged():
    one_class = table_of_classes(np.array([1, 1]), np.array([[0.4, 0.6], [0.2, 0.8]]))
    good = classification_fold(0)
    result = metric_intervals({0: good, 1: one_class}, seed=1, n_resamples=50)
    undefined = Interval(None, None, None, "only class 1 among the labels")
    assert result["auc"].per_fold[1] == undefined
    assert result["auc"].overall == result["auc"].per_fold[0]
    assert result["acc"].per_fold[1] == Interval(1.0, 1.0, 1.0)
    overall = metric_intervals({1: one_class}, seed=1)["auc"].overall
    assert (overall.value, overall.reason) == (None, "undefined in every fold (only class 1 among the labels)")


def test_survival_without_events_or_pairs():
    censored = table_of_survival(np.array([1.0, 2.0]), np.array([0, 0]), np.arange(2.0))
    last = table_of_survival(np.array([1.0, 2.0]), np.array([0, 1]), np.arange(2.0))
    per_fold = metric_intervals({0: censored, 1: last}, seed=1, n_resamples=10)["c_index"].per_fold
    assert [interval.reason for interval in per_fold.values()] == ["no events", "no comparable pair"]


def test_the_c_index_of_a_fold_has_the_interval_of_the_summary():
    tables = {fold: survival_fold(fold, n=50) for fold in (0, 1)}
    for fold, interval in metric_intervals(tables, seed=7, n_resamples=200)["c_index"].per_fold.items():
        summary = fold_metrics(tables[fold], seed=7, n_resamples=200)
        assert (interval.value, interval.low, interval.high) == tuple(
            summary[name] for name in ("c_index", "c_index_low", "c_index_high")
        )


def test_a_pair_that_no_resample_keeps_has_a_value_without_limits():
    pair = table_of_survival(np.array([1.0, 2.0]), np.array([1, 0]), np.array([2.0, 1.0]))
    seed = next(seed for seed in range(100) if (resample_counts(2, 1, seed) != 1).any())
    interval = metric_intervals({0: pair}, seed=seed, n_resamples=1)["c_index"].per_fold[0]
    assert interval == Interval(1.0, None, None, "no comparable pair in any bootstrap resample")
    label = table_of_classes(np.array([0, 1]), np.array([[0.9, 0.1], [0.1, 0.9]]))
    drawn = (derive_seed(seed, "metric intervals", 0) for seed in range(100))
    seed = next(seed for seed, one in enumerate(drawn) if (resample_counts(2, 1, one) != 1).any())
    interval = metric_intervals({0: label}, seed=seed, n_resamples=1)["auc"].per_fold[0]
    assert interval == Interval(1.0, None, None, "undefined in every bootstrap resample")


def test_calls_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match=r"expected a column prob_0 \(cls\) or hazard_0 \(surv\), found case_id"):
        metric_intervals({0: survival_fold(0)[["case_id"]]}, seed=0)
    with pytest.raises(ValueError, match="at least one fold"):
        metric_intervals({}, seed=0)
