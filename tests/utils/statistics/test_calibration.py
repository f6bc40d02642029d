from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss
from sksurv.nonparametric import kaplan_meier_estimator

from tests.utils.report.cohorts import outcomes_of, survival_fold, table_of_survival
from utils.statistics.calibration import (
    SurvivalReliability,
    brier_score,
    expected_calibration_error,
    n_groups,
    quantile_groups,
    reliability,
    survival_reliability,
    training_edges,
)
from utils.statistics.share_interval import wilson_limits
from utils.statistics.survival_stats import UndefinedMetricError


def _by_training(tables: dict[int, pd.DataFrame], outcomes: dict[int, pd.DataFrame]) -> SurvivalReliability:
    """At the edges that the training cases of each fold show."""
    return survival_reliability(tables, training_edges(tables, outcomes)[0])


def test_a_hand_worked_reliability():
    # The median of the probabilities is 0.45: .1, .2, .4 below (one death), .5, .7, .9 above (two).
    prob, occurred = np.array([0.1, 0.9, 0.2, 0.7, 0.4, 0.5]), np.array([0, 1, 1, 1, 0, 0])
    bins = reliability(prob, occurred, 2)
    np.testing.assert_allclose(bins.predicted, [0.7 / 3, 0.7])
    np.testing.assert_allclose(bins.observed, [1 / 3, 2 / 3])
    assert bins.n.tolist() == [3, 3]
    assert np.isclose(expected_calibration_error(bins), (abs(1 / 3 - 0.7 / 3) + abs(2 / 3 - 0.7)) / 2)
    assert np.isclose(brier_score(prob, occurred), (0.01 + 0.01 + 0.64 + 0.09 + 0.16 + 0.25) / 6)


@pytest.mark.parametrize(("n", "n_bins"), [(200, 10), (37, 5), (12, 1)])
def test_bins_and_brier_score_are_those_of_scikit_learn(n: int, n_bins: int):
    rng = np.random.default_rng(n)
    prob = rng.random(n).round(2)  # with ties
    occurred = rng.random(n) < prob
    bins = reliability(prob, occurred, n_bins)
    observed, predicted = calibration_curve(occurred, prob, n_bins=n_bins, strategy="quantile")
    np.testing.assert_allclose(bins.observed, observed)
    np.testing.assert_allclose(bins.predicted, predicted)
    assert bins.n.sum() == n
    assert np.isclose(brier_score(prob, occurred), brier_score_loss(occurred, prob))


def test_slides_of_a_patient_count_as_fewer():
    """Six slides of three patients, 4 + 1 + 1: as much as 36 / 18 = 2 independent ones."""
    prob, occurred = np.full(6, 0.5), np.array([1, 1, 1, 1, 0, 0])
    bins = reliability(prob, occurred, 1, np.array(["A", "A", "A", "A", "B", "C"], dtype=object))
    assert (bins.observed.tolist(), bins.n.tolist()) == ([4 / 6], [6])
    np.testing.assert_allclose((bins.low, bins.high), wilson_limits(np.array([2 / 3]), np.array([2])))
    # In two bins a patient counts for its slides of the bin: A A A, and A B C.
    bins = reliability(np.repeat([0.1, 0.8], 3), occurred, 2, np.array([0, 0, 0, 0, 1, 2]))
    assert (bins.observed.tolist(), bins.n.tolist()) == ([1, 1 / 3], [3, 3])
    np.testing.assert_allclose((bins.low, bins.high), wilson_limits(np.array([1, 1 / 3]), np.array([1, 3])))


def test_one_slide_of_each_patient_has_the_limits_of_before():
    rng = np.random.default_rng(5)
    prob = rng.random(91)
    occurred = rng.random(91) < prob
    plain, by_patient = reliability(prob, occurred, 7), reliability(prob, occurred, 7, rng.permutation(91))
    for name in ("predicted", "observed", "low", "high", "n"):
        assert getattr(plain, name).tobytes() == getattr(by_patient, name).tobytes()
    expected = wilson_limits(plain.observed, plain.n)
    assert (plain.low.tobytes(), plain.high.tobytes()) == (expected[0].tobytes(), expected[1].tobytes())


def test_copies_of_slides_tell_nothing_new():
    rng = np.random.default_rng(6)
    prob = rng.random(40)
    occurred = rng.random(40) < prob
    once = reliability(prob, occurred, 4)
    thrice = reliability(np.tile(prob, 3), np.tile(occurred, 3), 4, np.tile(np.arange(40), 3))
    np.testing.assert_allclose((thrice.low, thrice.high), (once.low, once.high))


def test_equal_predictions_make_one_group():
    assert quantile_groups(np.full(8, 0.3), 4).tolist() == [0] * 8
    bins = reliability(np.full(8, 0.3), np.array([1, 0] * 4), 4)
    assert (bins.predicted.tolist(), bins.observed.tolist(), bins.n.tolist()) == ([0.3], [0.5], [8])


def test_groups_have_ten_cases_or_there_is_one():
    assert [n_groups(n, 5) for n in (1, 19, 20, 49, 50, 1000)] == [1, 1, 2, 4, 5, 5]


def test_bad_probabilities_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        reliability(np.array([0.1, 0.2]), np.array([1]), 2)
    with pytest.raises(ValueError, match="one shape"):
        brier_score(np.array([]), np.array([]))
    with pytest.raises(ValueError, match=r"patient: expected shape \(2,\), got \(1,\)"):
        reliability(np.array([0.1, 0.2]), np.array([1, 0]), 2, np.array([0]))
    with pytest.raises(ValueError, match="finite"):
        reliability(np.array([0.1, np.nan]), np.array([1, 0]), 2)


def _training(edge: float) -> pd.DataFrame:
    """Four time bins whose middle inner edge is `edge` months."""
    return pd.DataFrame({"time": [0.0, edge / 2, edge, 2 * edge], "event": [1, 1, 1, 0], "bin": [0, 1, 2, 3]})


def test_a_hand_worked_survival():
    hazard = np.tile([0.1, 0.5, 0.9, 0.9], (4, 1))  # S(e_2) = 0.9 * 0.5, whatever comes after
    table = table_of_survival(np.array([5.0, 20.0, 30.0, 60.0]), np.array([1, 1, 0, 0]), np.arange(4.0), hazard)
    result = _by_training({3: table}, {3: _training(22.0)})
    assert result.edges == {3: 22.0}
    np.testing.assert_allclose(result.groups.predicted, [0.45])
    np.testing.assert_allclose(result.groups.observed, [0.5])  # two of four die before 22 months
    assert result.groups.n.tolist() == [4]


def test_a_death_at_the_edge_has_died():
    table = table_of_survival(np.array([22.0, 30.0]), np.array([1, 0]), np.arange(2.0))
    np.testing.assert_allclose(_by_training({0: table}, {0: _training(22.0)}).groups.observed, [0.5])


def test_folds_are_read_each_at_its_own_edge():
    # The same cohort twice, the second fold in another unit of time: the shares must be those of one fold.
    table = survival_fold(0, n=80)
    slower = table.assign(time=table["time"] * 3, case_id="slow" + table["case_id"])
    alone = _by_training({0: table}, {0: _training(22.0)}).groups
    both = _by_training({0: table, 1: slower}, {0: _training(22.0), 1: _training(66.0)})
    assert both.edges == {0: 22.0, 1: 66.0}
    np.testing.assert_allclose(both.groups.predicted, alone.predicted)
    np.testing.assert_allclose(both.groups.observed, alone.observed)
    np.testing.assert_array_equal(both.groups.n, 2 * alone.n)


def test_survival_groups_are_those_of_a_slow_reading():
    tables = {fold: survival_fold(fold, n=70) for fold in (0, 1)}
    outcomes = {fold: outcomes_of(survival_fold(10 + fold, n=200)) for fold in (0, 1)}
    result = _by_training(tables, outcomes)
    parts = []
    for fold, table in tables.items():
        edge = outcomes[fold].loc[outcomes[fold]["bin"] == 2, "time"].min()
        survival = (1 - table["hazard_0"]) * (1 - table["hazard_1"])
        parts.append(pd.DataFrame({"s": survival, "event": table["event"] == 1, "time": table["time"] / edge}))
    cases = pd.concat(parts, ignore_index=True)
    groups = pd.qcut(cases["s"], 5, labels=False)
    for index, group in cases.groupby(groups):
        time, survival, limits = kaplan_meier_estimator(group["event"], group["time"], conf_type="log-log")
        at = np.flatnonzero(time <= 1)[-1]
        assert np.isclose(result.groups.predicted[index], group["s"].mean())
        assert np.isclose(result.groups.observed[index], survival[at])
        assert np.isclose(result.groups.low[index], limits[0][at])
        assert np.isclose(result.groups.high[index], limits[1][at])
        assert result.groups.n[index] == len(group)


def test_a_group_that_is_censored_before_the_edge_has_no_estimate():
    lost = table_of_survival(np.array([5.0, 6.0]), np.array([1, 0]), np.arange(2.0))
    assert np.isnan(_by_training({0: lost}, {0: _training(22.0)}).groups.observed).all()
    dead = table_of_survival(np.array([5.0, 6.0]), np.array([1, 1]), np.arange(2.0))
    groups = _by_training({0: dead}, {0: _training(22.0)}).groups
    assert groups.observed.tolist() == [0.0]
    assert np.isnan([groups.low, groups.high]).all()  # log(-log 0) does not exist


def test_folds_without_an_edge_are_left_out_and_none_at_all_is_undefined():
    table = survival_fold(0)
    without_bin = _training(22.0).assign(bin=[0, 0, 1, 3], time=[0.0, 1.0, 2.0, 3.0])
    edges, left_out = training_edges({0: table, 1: table, 2: table}, {0: _training(22.0), 1: without_bin})
    assert edges.keys() == {0}
    assert left_out.keys() == {1, 2}
    assert left_out[1] == "no training case in time bin 2"
    assert "outcomes_train.csv" in left_out[2]
    at_zero = {0: np.array([0.0, 0.0, 5.0]), 1: edges[0]}
    assert survival_reliability({0: table, 1: table}, at_zero).left_out == {0: "the middle bin edge is at 0 months"}
    with pytest.raises(UndefinedMetricError, match="the middle bin edge is at 0 months"):
        survival_reliability({0: table}, {0: at_zero[0]})
