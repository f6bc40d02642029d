from __future__ import annotations

import numpy as np
import pytest
from sksurv.functions import StepFunction
from sksurv.metrics import brier_score, concordance_index_ipcw
from sksurv.nonparametric import kaplan_meier_estimator
from sksurv.util import Surv

from tests.utils.report.cohorts import survival_fold
from utils.runs.predictions import classification_table
from utils.statistics.metrics import classification_metrics, survival_metrics
from utils.statistics.validation_metrics import validation_metrics

EDGES = (10.0, 20.0, 40.0)


def test_classification_is_as_in_testing():
    rng = np.random.default_rng(0)
    prob, label = rng.dirichlet([1, 1, 1], 30), rng.integers(0, 3, 30)
    ids = [str(i) for i in range(30)]
    table = classification_table(ids, [[name] for name in ids], label, prob)
    found = validation_metrics(table, seed=1)
    assert found.items() >= {k: v for k, v in classification_metrics(label, prob).items() if k != "reasons"}.items()
    assert found["brier"] == pytest.approx(((np.eye(3)[label] - prob) ** 2).sum(axis=1).mean())
    assert found["brier_reference_of"] == "test"
    assert found["reasons"]["threshold"] == "defined for two classes only"


def test_the_threshold_is_the_one_of_the_run():
    label, positive = np.array([0, 1, 1, 0]), np.array([0.1, 0.45, 0.8, 0.42])
    names = list("abcd")
    prob = np.stack([1 - positive, positive], axis=1)
    table = classification_table(names, [[name] for name in names], label, prob)
    found = validation_metrics(table, seed=1, threshold=0.43)
    assert (found["threshold"], found["sensitivity"], found["specificity"], found["npv"]) == (0.43, 1.0, 1.0, 1.0)
    without = validation_metrics(table, seed=1)
    assert (without["threshold"], without["sensitivity"]) == (None, None)
    assert without["reasons"]["ppv"] == "no threshold of the run's validation cases is known"


def test_censoring_is_that_of_the_cohort_and_edges_are_those_of_the_model():
    table = survival_fold(1, n=120)
    event, time, risk = (table[name].to_numpy() for name in ("event", "time", "risk"))
    hazards = table[[f"hazard_{j}" for j in range(4)]].to_numpy()
    found = validation_metrics(table, cut_off=float(np.median(risk)), inner_edges=EDGES)
    own = Surv.from_arrays(event.astype(bool), time)
    assert found["c_index_ipcw"] == pytest.approx(concordance_index_ipcw(own, own, risk, tau=EDGES[-1])[0])
    survival = np.cumprod(1 - hazards, axis=1)[:, :3]
    scores = brier_score(own, own, survival, list(EDGES))[1]
    expected = np.trapezoid(scores, EDGES) / (EDGES[-1] - EDGES[0])
    assert found["ibs"] == pytest.approx(expected)
    curve = StepFunction(*kaplan_meier_estimator(event.astype(bool), time))(list(EDGES))
    scores = brier_score(own, own, np.tile(curve, (120, 1)), list(EDGES))[1]
    reference = np.trapezoid(scores, EDGES) / (EDGES[-1] - EDGES[0])
    assert found["ibs_reference"] == pytest.approx(reference)
    assert found["ibs_skill"] == pytest.approx(1 - expected / reference)
    plain = survival_metrics(event, time, risk, seed=1)
    for name in ("c_index", "c_index_low", "c_index_high", "n_events"):
        assert found[name] == plain[name]
    assert (found["cut_off"], found["n_high"]) == (np.median(risk), 60)
    assert found["deaths_high"] == event[risk >= np.median(risk)].sum()


def test_without_edges_and_cut_off_there_are_reasons():
    found = validation_metrics(survival_fold(1, n=40), seed=1)
    for name in ("c_index_ipcw", "td_auc", "ibs", "ibs_reference", "ibs_skill"):
        assert found[name] is None
        assert found["reasons"][name] == "the edges of the model's time bins are not known"
    assert (found["logrank_p"], found["n_high"]) == (None, None)
    assert found["reasons"]["logrank_p"] == "no cut-off of the training cases is known"
