from __future__ import annotations

import numpy as np
import pytest

from benchmarks.coverage_cohorts import survival, three_classes, two_classes
from benchmarks.percentiles import percentiles, resampled
from utils.tables.summary import fold_metrics


@pytest.mark.parametrize("metric", ["auc", "acc", "f1", "c_index", "auc of three"])
def test_each_resample_has_the_metric_of_the_literal_one(metric: str):
    setting = {"c_index": survival(0.6), "auc of three": three_classes(sample=300)}.get(metric, two_classes(0.7, 0.4))
    name, generator = metric.split(" ")[0], np.random.default_rng(0)
    table = setting.draw(generator, 12)
    counts = generator.multinomial(12, np.full(12, 1 / 12), size=30)
    for copies, value in zip(counts, resampled(name, table, counts), strict=True):
        drawn = table.loc[table.index.repeat(copies)]
        expected = fold_metrics(drawn, with_interval=False)[name]
        assert np.isnan(value) if expected is None else value == pytest.approx(expected)


def test_percentiles_of_the_mean_over_folds():
    setting, generator = two_classes(0.7, 0.5), np.random.default_rng(1)
    tables = [setting.draw(generator, 10) for _ in range(2)]
    counts = generator.multinomial(10, np.full(10, 0.1), size=(2, 50))
    means = (resampled("acc", tables[0], counts[0]) + resampled("acc", tables[1], counts[1])) / 2
    assert percentiles("acc", tables, counts) == tuple(np.percentile(means, (2.5, 97.5)))
