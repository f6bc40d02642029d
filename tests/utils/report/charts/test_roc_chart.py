from __future__ import annotations

import numpy as np
import pytest

from tests.utils.report.cohorts import classification_fold, table_of_classes
from tests.utils.report.pictures import as_values, check_picture, paths, shown_data, texts
from utils.report.charts.roc_chart import roc_charts
from utils.statistics.roc_band import roc_band


def test_the_chart_draws_the_band_and_its_mean():
    tables = {fold: classification_fold(fold) for fold in range(3)}
    (chart,) = roc_charts(tables, seed=4, n_resamples=100)
    check_picture(chart.svg)
    band = roc_band(tables, 1, seed=4, n_resamples=100)
    data = shown_data(chart.svg)
    mean, *folds = data["series"]
    np.testing.assert_allclose(data["xs"], band.false_positive[::2])
    np.testing.assert_allclose(mean["y"], band.mean[::2], atol=5e-4)
    np.testing.assert_allclose(mean["lo"], band.low[::2], atol=5e-4)
    np.testing.assert_allclose(mean["hi"], band.high[::2], atol=5e-4)
    for fold, curve in zip((0, 1, 2), folds, strict=True):
        assert curve["n"] == f"fold {fold}"
        np.testing.assert_allclose(curve["y"], np.interp(data["xs"], *band.folds[fold]), atol=5e-4)
    left, top, right, bottom = data["box"]
    drawn = paths(chart.svg, "line", "ink")[1]  # the first one is the sample in the legend
    np.testing.assert_allclose((drawn[1:, 0] - left) / (right - left), band.false_positive, atol=5e-4)
    np.testing.assert_allclose((bottom - drawn[1:, 1]) / (bottom - top), band.mean, atol=5e-4)
    np.testing.assert_allclose(drawn[0], [left, bottom], atol=0.1)
    thin = [as_values(chart.svg, path) for path in paths(chart.svg, "line", "thin")][3:]  # after those of the legend
    for curve, fold in zip(thin, band.folds.values(), strict=True):
        np.testing.assert_allclose(curve, np.stack(fold, axis=1), atol=5e-4)
    area = as_values(chart.svg, paths(chart.svg, "band")[0])
    np.testing.assert_allclose(area[:51, 1], band.high[::2], atol=5e-4)
    np.testing.assert_allclose(area[51:102, 1], band.low[::-2], atol=5e-4)
    words = texts(chart.svg)
    auc = np.mean(list(band.auc.values()))
    assert f"mean AUC {auc:.3f} ({band.mean_auc.low:.3f}–{band.mean_auc.high:.3f})" in words
    assert [f"fold {fold}: {area:.3f}" in words for fold, area in band.auc.items()] == [True] * 3
    assert {"false positive rate (1 - specificity)", "true positive rate (sensitivity)"} <= set(words)
    assert "100 resamples" in chart.note


def test_more_classes_have_a_chart_each():
    tables = {fold: classification_fold(fold, n_classes=3) for fold in range(2)}
    charts = roc_charts(tables, seed=0, n_resamples=20)
    assert [chart.title for chart in charts] == [f"ROC, class {index} against the rest" for index in range(3)]
    for chart in charts:
        check_picture(chart.svg)


def test_a_fold_of_one_class_is_named_and_only_such_folds_have_no_picture():
    one_class = table_of_classes(np.ones(2, dtype=int), np.full((2, 2), 0.5))
    (chart,) = roc_charts({0: classification_fold(0), 1: one_class}, seed=0, n_resamples=20)
    assert "Left out: fold 1 (only class 1 among the labels)." in chart.note
    assert len(shown_data(chart.svg)["series"]) == 2
    (chart,) = roc_charts({1: one_class}, seed=0, n_resamples=20)
    assert chart.svg == ""
    assert "only class 1 among the labels" in chart.note


@pytest.mark.parametrize(("n_folds", "n", "kilobytes"), [(4, 100, 12), (10, 400, 18)])
def test_the_picture_stays_small(n_folds: int, n: int, kilobytes: int):
    tables = {fold: classification_fold(fold, n=n) for fold in range(n_folds)}
    (chart,) = roc_charts(tables, seed=0, n_resamples=10)
    check_picture(chart.svg)
    assert len(chart.svg.encode()) < kilobytes * 1024
