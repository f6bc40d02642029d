from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score
from sksurv.metrics import brier_score
from sksurv.util import Surv

from tests.utils.report.cohorts import survival_fold
from utils.runs.predictions import classification_table
from utils.runs.tasks import CLASSIFICATION, SURVIVAL
from utils.statistics.calibration_metrics import (
    Threshold,
    classification_calibration,
    ibs_of_kaplan_meier,
    survival_calibration,
)
from utils.statistics.censoring_metrics import TrainingOutcomes, inner_bin_edges
from utils.statistics.survival_stats import kaplan_meier, survival_at


def classes(label: list[int] | np.ndarray, prob: np.ndarray) -> pd.DataFrame:
    names = [str(row) for row in range(len(prob))]
    return classification_table(names, [[name] for name in names], np.array(label), prob)


def two(label: list[int], positive: list[float]) -> pd.DataFrame:
    return classes(label, np.stack([1 - np.array(positive), np.array(positive)], axis=1))


def test_a_classification_fold_worked_by_hand():
    validation = two([0, 1], [0.2, 0.4])
    table = two([0, 1, 0, 1], [0.1, 0.25, 0.6, 0.9])
    shares = np.array([0.25, 0.75])
    found = classification_calibration(table, threshold=Threshold.of(validation), shares=shares, seed=1)
    assert set(CLASSIFICATION.calibration) <= set(found)
    assert found["reasons"] == {}
    # By falling probability: right (precision 1), wrong, right (2/3): 1/2 (1 + 2/3).
    assert (found["auprc"], found["auprc_reference"]) == (pytest.approx(5 / 6), 0.5)
    assert found["brier"] == pytest.approx((0.1**2 + 0.75**2 + 0.6**2 + 0.1**2) / 4)
    assert found["brier_reference"] == pytest.approx((2 * 0.75**2 + 2 * 0.25**2) / 4)
    assert found["brier_reference_of"] == "training"
    assert found["brier_skill"] == pytest.approx(1 - found["brier"] / found["brier_reference"])
    assert found["threshold"] == pytest.approx(0.3)
    assert [found[name] for name in ("sensitivity", "specificity", "ppv", "npv")] == [0.5] * 4
    assert found["calibration_slope_low"] < found["calibration_slope"] < found["calibration_slope_high"]
    own = classification_calibration(table, threshold=Threshold.of(validation), shares=None, seed=1)
    assert (own["brier_reference"], own["brier_reference_of"]) == (0.25, "test")


def test_three_classes_have_no_slope_and_no_threshold():
    rng = np.random.default_rng(0)
    prob, label = rng.dirichlet([1, 1, 1], 30), rng.integers(0, 3, 30)
    table = classes(label, prob)
    found = classification_calibration(table, threshold=Threshold.of(table), shares=None, seed=1)
    expected = np.mean([average_precision_score(label == c, prob[:, c]) for c in range(3)])
    assert (found["auprc"], found["auprc_reference"]) == (pytest.approx(expected), pytest.approx(1 / 3))
    undefined = {name for name in CLASSIFICATION.calibration if found[name] is None}
    assert undefined == set(found["reasons"])
    assert set(found["reasons"].values()) == {"defined for two classes only"}
    assert undefined >= {"calibration_slope", "calibration_intercept_low", "threshold", "sensitivity", "npv_high"}


def test_each_value_that_is_none_has_its_reason():
    found = classification_calibration(two([1, 1], [0.6, 0.8]), threshold=Threshold.of(None), shares=None, seed=1)
    assert {name for name in CLASSIFICATION.calibration if found[name] is None} == set(found["reasons"])
    assert found["reasons"]["auprc"] == "only class 1 among the labels"
    assert found["reasons"]["brier_skill"] == "the reference is never wrong"
    assert found["reasons"]["calibration_slope"] == "all cases are of one class"
    assert found["reasons"]["ppv"].startswith("the predictions of the validation cases are not there")


def test_validation_cases_of_one_class_choose_no_threshold():
    assert Threshold.of(two([1, 1], [0.6, 0.8])) == Threshold(None, "validation cases: only class 1 among the labels")


def test_the_reference_of_the_brier_score_is_that_of_a_constant_curve():
    table, train = survival_fold(1, n=80), _outcomes(survival_fold(2, n=120))
    edges = inner_bin_edges(train, 4)
    # By scikit-survival, which refuses times beyond the training follow-up.
    kept = table[table["time"] < train.time.max()]
    event, time = kept["event"].to_numpy(), kept["time"].to_numpy()
    curve = survival_at(kaplan_meier(train.event, train.time), edges)
    known, asked = Surv.from_arrays(train.event, train.time), Surv.from_arrays(event.astype(bool), time)
    scores = brier_score(known, asked, np.tile(curve, (len(kept), 1)), edges)[1]
    expected = np.trapezoid(scores, edges) / (edges[-1] - edges[0])
    assert ibs_of_kaplan_meier(event, time, train=train, edges=edges) == pytest.approx(expected, abs=1e-12)


def test_the_brier_score_of_a_curve_by_a_slow_loop():
    """Without censoring it is the squared distance of the curve from what happened, at 1 and 3 months."""
    train = TrainingOutcomes(np.ones(4), np.array([0.5, 1.0, 3.0, 5.0]), np.array([0, 1, 2, 2]))
    time = np.array([0.9, 1.5, 4.0, 6.0, 9.0])
    scores = []
    for t, curve in ((1.0, 0.5), (3.0, 0.25)):  # two, then three of four training cases have died
        scores.append(np.mean([curve**2 if own <= t else (1 - curve) ** 2 for own in time]))
    found = ibs_of_kaplan_meier(np.ones(5), time, train=train, edges=np.array([1.0, 3.0]))
    assert found == pytest.approx(np.mean(scores))


def test_the_skill_of_a_survival_fold():
    table, train = survival_fold(1, n=80), _outcomes(survival_fold(2, n=120))
    found = survival_calibration(table, ibs=0.2, why_no_ibs=None, train=train)
    assert set(SURVIVAL.calibration) <= set(found)
    assert found["ibs_skill"] == pytest.approx(1 - 0.2 / found["ibs_reference"])
    assert found["reasons"] == {}
    without = survival_calibration(table, ibs=None, why_no_ibs="not there", train=None)
    assert (without["ibs_reference"], without["ibs_skill"]) == (None, None)
    assert without["reasons"]["ibs_skill"] == "not there"
    assert without["calibration_slope"] == found["calibration_slope"]  # needs no edges in months


def test_one_time_bin_has_no_slope():
    table = survival_fold(1, n=20).drop(columns=["hazard_1", "hazard_2", "hazard_3"])
    found = survival_calibration(table, ibs=None, why_no_ibs="x", train=None)
    assert found["reasons"]["calibration_slope"] == "one time bin has no inner edges"


def _outcomes(table: pd.DataFrame) -> TrainingOutcomes:
    return TrainingOutcomes.of(table)
