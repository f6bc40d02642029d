from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score, roc_curve
from statsmodels.stats.proportion import proportion_confint

from tests.utils.report.cohorts import classification_fold, table_of_classes
from utils.machine.seed import derive_seed
from utils.statistics.metric_intervals import metric_intervals
from utils.statistics.resamples import resample_counts
from utils.statistics.roc_band import roc_band, roc_points
from utils.statistics.survival_stats import UndefinedMetricError


def _two_classes(label: list[int], positive: list[float]) -> pd.DataFrame:
    return table_of_classes(np.array(label), np.stack([1 - np.array(positive), np.array(positive)], axis=1))


def _literal(tables: dict[int, pd.DataFrame], positive: int, seed: int, n: int) -> np.ndarray:
    """Mean curve of each resample, one by one with scikit-learn; NaN where a fold has one class."""
    grid = np.linspace(0, 1, 101)
    curves = np.full((n, len(tables), len(grid)), np.nan)
    for k, (fold, table) in enumerate(tables.items()):
        patients = np.unique(table["case_id"].to_numpy(dtype=str))
        for b, counts in enumerate(resample_counts(len(patients), n, derive_seed(seed, "metric intervals", fold))):
            copies = dict(zip(patients, counts, strict=True))
            drawn = table.loc[table.index.repeat([copies[case] for case in table["case_id"]])]
            is_positive = drawn["label"] == positive
            if is_positive.nunique() == 2:
                f, t, _ = roc_curve(is_positive, drawn[f"prob_{positive}"], drop_intermediate=False)
                curves[b, k] = np.interp(grid, f, t)
    return curves.mean(axis=1)


@pytest.mark.parametrize(("n_classes", "positive"), [(2, 1), (3, 0)])
def test_the_band_is_that_of_literal_resamples(n_classes: int, positive: int):
    tables = {fold: classification_fold(fold, n=25 + fold, n_classes=n_classes) for fold in (0, 1, 4)}
    tables[1].loc[3:5, "case_id"] = tables[1].loc[3, "case_id"]  # a patient with three slides
    tables[4]["prob_0"] = tables[4]["prob_0"].round(1)  # ties
    band = roc_band(tables, positive, seed=5, n_resamples=40)
    curves = _literal(tables, positive, seed=5, n=40)
    variance = curves.var(axis=0)
    sizes = []
    for table in tables.values():
        of_patient = table.loc[table["label"] == positive, "case_id"].value_counts().to_numpy()
        sizes.append(of_patient.sum() ** 2 / (of_patient**2).sum())
    most = 9 / sum(1 / size for size in sizes)
    for at in range(100):
        mean = band.mean[at]
        n = most if variance[at] < 1e-20 or mean in (0, 1) else min(most, mean * (1 - mean) / variance[at])
        limits = proportion_confint(n * mean, n, method="wilson")
        assert (band.low[at], band.high[at]) == pytest.approx(limits, abs=1e-9)
    assert (band.low[-1], band.high[-1]) == (1, 1)
    assert (band.n_used, band.n_skipped) == (40, 0)


def test_the_mean_and_the_folds_are_those_of_scikit_learn():
    tables = {fold: classification_fold(fold) for fold in range(4)}
    band = roc_band(tables, 1, seed=0, n_resamples=5)
    expected = []
    for fold, table in tables.items():
        f, t, _ = roc_curve(table["label"] == 1, table["prob_1"], drop_intermediate=False)
        np.testing.assert_allclose(band.folds[fold], (f, t), atol=1e-12)
        assert np.isclose(band.auc[fold], roc_auc_score(table["label"], table["prob_1"]))
        expected.append(np.interp(band.false_positive, f, t))
    np.testing.assert_allclose(band.mean, np.mean(expected, axis=0), atol=1e-12)
    assert band.mean[-1] == 1
    assert (band.low <= band.high).all()


def test_a_hand_worked_mean():
    # Fold 0 ranks all right: 1 at every rate. Fold 1 ties one positive with the negative: a diagonal from 1/2 to 1.
    tables = {0: _two_classes([1, 0], [0.9, 0.1]), 1: _two_classes([1, 1, 0], [0.9, 0.4, 0.4])}
    band = roc_band(tables, 1, seed=0, n_resamples=50)
    np.testing.assert_allclose(band.mean, (1 + 0.5 + 0.5 * band.false_positive) / 2)
    assert band.auc == {0: 1.0, 1: 0.75}
    assert band.n_used + band.n_skipped == 50
    assert band.n_skipped > 0  # fold 0 draws one case twice in half of the resamples


def test_points_of_weighted_cases_go_through_ties_in_one_step():
    false_rate, true_rate = roc_points(
        np.array([True, False, True, False]), np.array([0.4, 0.4, 0.9, 0.1]), np.array([[2, 1, 0, 3], [0, 1, 0, 1]])
    )
    np.testing.assert_allclose(false_rate[0], [0, 0, 0.25, 1])
    np.testing.assert_allclose(true_rate[0], [0, 0, 1, 1])
    assert np.isnan(true_rate[1]).all()  # no positive is drawn
    np.testing.assert_allclose(false_rate[1], [0, 0, 0.5, 1])


def test_a_fold_with_one_class_is_left_out_and_none_at_all_is_undefined():
    good, bad = classification_fold(0), _two_classes([1, 1], [0.3, 0.6])
    band = roc_band({0: good, 7: bad}, 1, seed=0, n_resamples=20)
    assert band.left_out == {7: "only class 1 among the labels"}
    np.testing.assert_array_equal(band.mean, roc_band({0: good}, 1, seed=0, n_resamples=20).mean)
    with pytest.raises(UndefinedMetricError, match="class 1 and of another one"):
        roc_band({7: bad}, 1, seed=0)


def test_the_interval_of_the_area_is_that_of_the_table():
    tables = {fold: classification_fold(fold, n=24) for fold in (0, 1)}
    band = roc_band(tables, 1, seed=4, n_resamples=40)
    assert band.mean_auc == metric_intervals(tables)["auc"].overall


def test_the_band_of_separated_classes_is_no_line():
    table = _two_classes([1, 1, 1, 0, 0, 0], [0.9, 0.8, 0.7, 0.3, 0.2, 0.1])
    band = roc_band({0: table}, 1, seed=0, n_resamples=30)
    np.testing.assert_array_equal(band.mean, 1)
    np.testing.assert_allclose(band.low[:-1], proportion_confint(3, 3, method="wilson")[0])
    assert (band.mean_auc.low, band.mean_auc.high) == (0.025 ** (1 / 3), 1.0)
