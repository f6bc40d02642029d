from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from utils.runs.predictions import classification_table, output_columns, survival_table
from utils.statistics.metrics import classification_metrics, survival_metrics
from utils.statistics.resampled_metrics import resampled_metric
from utils.statistics.survival_stats import resample_counts


def _classification(seed: int, n_classes: int, n_cases: int) -> pd.DataFrame:
    """Probabilities in tenths, so that scores and highest classes are tied."""
    rng = np.random.default_rng(seed)
    prob = rng.multinomial(10, np.full(n_classes, 1 / n_classes), n_cases) / 10
    ids = [str(index) for index in range(n_cases)]
    return classification_table(ids, [[name] for name in ids], rng.integers(0, n_classes, n_cases), prob)


def _survival(seed: int, n_cases: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    ids = [str(index) for index in range(n_cases)]
    time, risk = rng.integers(1, 6, n_cases), rng.integers(0, 4, n_cases)
    return survival_table(
        ids, [[i] for i in ids], time, rng.random(n_cases) < 0.4, np.zeros(n_cases), risk, np.full((n_cases, 4), 0.5)
    )


@pytest.mark.parametrize("metric", ["acc", "f1", "auc"])
@pytest.mark.parametrize(("n_classes", "n_cases"), [(2, 5), (2, 40), (3, 7), (4, 40)])
def test_classification_equals_the_metrics_of_each_literal_resample(metric: str, n_classes: int, n_cases: int):
    undefined = 0
    for seed in range(2):
        table = _classification(seed, n_classes, n_cases)
        counts = resample_counts(n_cases, 25, seed)
        for copies, value in zip(counts, resampled_metric(metric, table, counts), strict=True):
            drawn = table.iloc[np.repeat(np.arange(n_cases), copies)]
            prob = drawn[output_columns(table)].to_numpy()
            expected = classification_metrics(drawn["label"].to_numpy(), prob)[metric]
            assert np.isnan(value) if expected is None else value == pytest.approx(expected, abs=1e-12)
            undefined += expected is None
    assert (undefined > 0) == (metric == "auc" and n_cases < 10)  # both kinds are met


def test_concordance_equals_that_of_each_literal_resample():
    undefined = 0
    for seed in range(6):
        table, counts = _survival(seed, 7), resample_counts(7, 50, seed)
        for copies, value in zip(counts, resampled_metric("c_index", table, counts), strict=True):
            drawn = table.iloc[np.repeat(np.arange(7), copies)]
            arrays = (drawn[name].to_numpy() for name in ("event", "time", "risk"))
            expected = survival_metrics(*arrays, with_interval=False)["c_index"]
            assert np.isnan(value) if expected is None else value == expected  # to the last bit
            undefined += expected is None
    assert 0 < undefined < 300


def test_a_hand_worked_resample():
    # label       0    0    1    1      first of the highest: 0 1 1 0
    # prob_1     .1   .6   .6   .4
    # copies      2    0    1    3      drawn: labels 0 0 1 1 1 1, predictions 0 0 1 0 0 0
    # accuracy 3/6; F1 of class 0: 2*2 / (2*2 + 3) = 4/7, of class 1: 2*1 / (2*1 + 3) = 2/5.
    # AUC: both .6 and the .4s beat .1: 8 of 8.
    positive = np.array([0.1, 0.6, 0.6, 0.4])
    ids = list("abcd")
    table = classification_table(
        ids, [[i] for i in ids], np.array([0, 0, 1, 1]), np.stack([1 - positive, positive], axis=1)
    )
    counts = np.array([[2, 0, 1, 3], [0, 2, 1, 1]])
    np.testing.assert_allclose(resampled_metric("acc", table, counts), [3 / 6, 1 / 4])
    # The second: labels 0 0 1 1, predictions 1 1 1 0. F1 of class 0 is 0, of class 1 2 / (2 + 2 + 1).
    np.testing.assert_allclose(resampled_metric("f1", table, counts), [(4 / 7 + 2 / 5) / 2, (0 + 2 / 5) / 2])
    # .6 is tied with both .6, .4 is below both: 2 halves of 4.
    np.testing.assert_allclose(resampled_metric("auc", table, counts), [1.0, 1 / 4])


def test_a_class_that_is_neither_drawn_nor_predicted_does_not_count_in_f1():
    table = classification_table(
        list("abc"), [["a"], ["b"], ["c"]], np.array([0, 1, 2]), np.array([[1.0, 0, 0], [0, 1, 0], [0, 1, 0]])
    )
    # Without row c: both classes right. Without row b: class 0 right; 1 predicted only, 2 among the labels only.
    counts = np.array([[2, 1, 0], [2, 0, 1]])
    np.testing.assert_allclose(resampled_metric("f1", table, counts), [1.0, 1 / 3])
