from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score

from utils.runs.tasks import CLASSIFICATION, SURVIVAL
from utils.statistics import metrics
from utils.statistics.censoring_metrics import TrainingOutcomes, dynamic_auc, integrated_brier, uno_concordance
from utils.statistics.interval import logit_limits
from utils.statistics.metrics import classification_metrics, survival_metrics
from utils.statistics.survival_stats import logrank_p


def test_classification_of_a_hand_worked_table():
    # label       0    0    1    1    1
    # prob_1     .1   .6   .6   .8   .4     predictions 0 1 1 1 0: 3 of 5 right
    # recall 1/2 and 2/3; F1 of class 0: 1 / (1 + (1 + 1) / 2) = 1/2, of class 1: 2 / (2 + (1 + 1) / 2) = 2/3
    # pairs (positive, negative): .6 beats .1 and ties with .6, .8 beats both, .4 beats .1 only: 4.5 of 6
    positive = np.array([0.1, 0.6, 0.6, 0.8, 0.4])
    result = classification_metrics(np.array([0, 0, 1, 1, 1]), np.stack([1 - positive, positive], axis=1))
    assert result == {
        "acc": pytest.approx(3 / 5),
        "balanced_acc": pytest.approx(7 / 12),
        "f1": pytest.approx(7 / 12),
        "auc": pytest.approx(3 / 4),
        "reasons": {},
    }


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_classification_agrees_with_scikit_learn(n_classes: int):
    rng = np.random.default_rng(n_classes)
    label = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, 60)])
    prob = rng.dirichlet(np.ones(n_classes), size=len(label))
    result = classification_metrics(label, prob)
    predicted = prob.argmax(axis=1)
    assert result["acc"] == np.mean(predicted == label)
    assert result["balanced_acc"] == pytest.approx(balanced_accuracy_score(label, predicted))
    assert result["f1"] == pytest.approx(f1_score(label, predicted, average="macro"))
    expected = (
        roc_auc_score(label, prob[:, 1])
        if n_classes == 2
        else roc_auc_score(label, prob, multi_class="ovr", average="macro")
    )
    assert result["auc"] == pytest.approx(expected)


def test_a_class_that_is_predicted_but_absent_counts_in_f1_and_not_in_balanced_accuracy():
    # Labels 0 0 1 1, predictions 0 2 1 1: recalls 1/2 and 1; F1 2/3, 1 and 0 (class 2).
    prob = np.eye(3)[[0, 2, 1, 1]]
    result = classification_metrics(np.array([0, 0, 1, 1]), prob)
    assert result["balanced_acc"] == pytest.approx(3 / 4)
    assert result["f1"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert result["auc"] is None
    assert result["reasons"] == {"auc": "no case of class 2 among the labels"}


def test_one_class_only_has_no_auc():
    result = classification_metrics(np.ones(3), np.array([[0.2, 0.8], [0.6, 0.4], [0.1, 0.9]]))
    assert result["acc"] == pytest.approx(2 / 3)
    assert result["auc"] is None
    assert result["reasons"] == {"auc": "only class 1 among the labels"}


def test_a_single_case():
    result = classification_metrics(np.array([0]), np.array([[0.5, 0.5]]))
    assert (result["acc"], result["balanced_acc"], result["f1"], result["auc"]) == (1.0, 1.0, 1.0, None)


def test_probabilities_of_16_bit_arithmetic_have_an_auc():
    prob = np.array([[0.5, 0.3, 0.2005], [0.2, 0.6, 0.2], [0.1, 0.1, 0.8]])
    assert classification_metrics(np.array([0, 1, 2]), prob)["auc"] == 1.0


@pytest.mark.parametrize(
    ("label", "prob", "message"),
    [
        (np.zeros((3, 1)), np.full((3, 2), 0.5), r"label: expected shape \(3,\), got \(3, 1\)"),
        (np.zeros(2), np.full((3, 2), 0.5), r"label: expected shape \(3,\), got \(2,\)"),
        (np.zeros(3), np.full(3, 0.5), r"prob: expected shape \(n, C\)"),
        (np.zeros(3), np.full((3, 1), 0.5), "C >= 2"),
        (np.zeros(0), np.full((0, 2), 0.5), "n >= 1"),
        (np.array([0, 1, 2]), np.full((3, 2), 0.5), "label: expected integers from 0 to 1"),
        (np.array([0, 1, 0.5]), np.full((3, 2), 0.5), "label: expected integers"),
        (np.array([0, 1, np.nan]), np.full((3, 2), 0.5), "label: expected integers"),
        (np.zeros(3), np.full((3, 2), np.nan), "prob: expected finite"),
    ],
)
def test_classification_refuses_nonsense(label: np.ndarray, prob: np.ndarray, message: str):
    with pytest.raises(ValueError, match=message):
        classification_metrics(label, prob)


NO_OUTCOMES = dict.fromkeys(
    ("c_index_ipcw", "td_auc", "ibs"), "the outcomes of the training cases are not there (outcomes_train.csv)"
)


def test_survival_of_a_hand_worked_table():
    # Deaths at 1, 2, 3; censored at 4. Pairs (0,1) (0,2) (0,3) (1,2) (1,3) (2,3); only (1,2) has the lower risk first.
    event, time, risk = np.array([1, 1, 1, 0]), np.array([1.0, 2, 3, 4]), np.array([4.0, 2, 3, 1])
    result = survival_metrics(event, time, risk, seed=0)
    assert result["c_index"] == pytest.approx(5 / 6)
    # Without each case in turn: 2/3, 1, 1 and 4/5... see below.
    without = np.array([2 / 3, 1, 1, 2 / 3])
    variance = 3 / 4 * ((without - without.mean()) ** 2).sum()
    assert (result["c_index_low"], result["c_index_high"]) == pytest.approx(logit_limits(5 / 6, variance))
    assert result["logrank_p"] == logrank_p(event, time, np.array([True, False, True, False]))  # median risk 2.5
    assert result["n_events"] == 3
    assert result["reasons"] == NO_OUTCOMES


def test_the_interval_is_left_out_on_demand():
    cohort = np.array([1, 1, 1, 0]), np.array([1.0, 2, 3, 4]), np.array([4.0, 2, 3, 1])
    result = survival_metrics(*cohort, with_interval=False)
    assert result["c_index"] == pytest.approx(5 / 6)
    assert (result["c_index_low"], result["c_index_high"]) == (None, None)
    reasons = dict.fromkeys(("c_index_low", "c_index_high"), "not asked for") | NO_OUTCOMES
    assert result["reasons"] == reasons


def test_a_seed_is_taken_and_decides_nothing():
    rng = np.random.default_rng(0)
    cohort = rng.random(30) < 0.6, rng.exponential(20, 30), rng.normal(size=30)
    assert survival_metrics(*cohort, seed=1) == survival_metrics(*cohort)


C_INDEX = ("c_index", "c_index_low", "c_index_high")


@pytest.mark.parametrize(
    ("event", "time", "risk", "undefined"),
    [
        ([0, 0, 0], [1, 2, 3], [1, 2, 3], dict.fromkeys((*C_INDEX, "logrank_p"), "no events")),
        ([1], [5], [1], dict.fromkeys(C_INDEX, "no comparable pair") | {"logrank_p": "all risks equal"}),
        (
            [1, 1, 0],
            [1, 2, 3],
            [7, 7, 7],
            dict.fromkeys(C_INDEX[1:], "the value is the same without any one patient: no variance")
            | {"logrank_p": "all risks equal"},
        ),
        ([1, 1, 0], [1, 2, 3], [7, 1, 1], {"logrank_p": "no risk below the median risk"}),
        (
            [0, 0, 1],
            [1, 2, 3],
            [1, 2, 3],
            dict.fromkeys(C_INDEX, "no comparable pair")
            | {"logrank_p": "the groups are never at risk together at a death that someone survives"},
        ),
    ],
)
def test_undefined_survival_metrics_are_null_with_a_reason(event: list, time: list, risk: list, undefined: dict):
    result = survival_metrics(np.array(event), np.array(time), np.array(risk), seed=0)
    assert result["reasons"] == undefined | NO_OUTCOMES
    assert {name for name in SURVIVAL.metrics if result[name] is None} == {*undefined, *NO_OUTCOMES}
    json.dumps(result, allow_nan=False)


def test_a_constant_risk_has_a_concordance_of_one_half():
    result = survival_metrics(np.array([1, 1, 0]), np.array([1, 2, 3]), np.zeros(3), seed=0)
    assert (result["c_index"], result["c_index_low"], result["c_index_high"]) == (0.5, None, None)
    assert result["reasons"]["c_index_low"] == "the value is the same without any one patient: no variance"


def test_a_concordance_of_one_has_no_limits():
    result = survival_metrics(np.ones(5), np.arange(5), -np.arange(5))
    assert (result["c_index"], result["c_index_low"], result["c_index_high"]) == (1.0, None, None)
    assert result["reasons"]["c_index_high"] == "a value of 1 has no variance to tell limits from"


@pytest.mark.parametrize("position", range(3))
def test_survival_refuses_nan_and_columns(position: int):
    cohort = [np.array([1.0, 0, 1]), np.array([1.0, 2, 3]), np.array([1.0, 2, 3])]
    cohort[position] = np.array([1.0, np.nan, 0])
    with pytest.raises(ValueError, match="expected"):
        survival_metrics(*cohort, seed=0)
    cohort[position] = np.ones((3, 1))
    with pytest.raises(ValueError, match="expected"):
        survival_metrics(*cohort, seed=0)


# Censored at 2, 5 and 7; the inner edges of the three bins are 3 and 6.
TRAIN = TrainingOutcomes(event=[1, 0, 1, 0, 1, 0, 1], time=[1, 2, 3, 5, 6, 7, 8], bin=[0, 0, 1, 1, 2, 2, 2])


def test_metrics_corrected_for_censoring_come_from_the_training_outcomes_and_the_hazards():
    event, time, risk = np.array([1, 1, 0, 1, 0]), np.array([2.0, 4, 4.5, 6.5, 9]), np.array([5.0, 2, 4, 3, 1])
    hazards = np.random.default_rng(0).random((5, 3))
    result = survival_metrics(event, time, risk, seed=0, train=TRAIN, hazards=hazards)
    assert result["reasons"] == {}
    assert result["c_index_ipcw"] == uno_concordance(event, time, risk, train=TRAIN, tau=6.0)
    assert result["td_auc"] == dynamic_auc(event, time, risk, train=TRAIN, edges=np.array([3.0, 6]))
    # Survival to the end of bin 0 and of bin 1; nothing is asked about the end of the last bin.
    survival = np.stack([1 - hazards[:, 0], (1 - hazards[:, 0]) * (1 - hazards[:, 1])], axis=1)
    edges = np.array([3.0, 6])
    assert result["ibs"] == pytest.approx(integrated_brier(event, time, survival, train=TRAIN, edges=edges), rel=1e-12)
    without = survival_metrics(event, time, risk, seed=0)
    assert {name: result[name] for name in SURVIVAL.metrics[:5]} == {
        name: without[name] for name in SURVIVAL.metrics[:5]
    }
    json.dumps(result, allow_nan=False)


def test_each_metric_corrected_for_censoring_has_its_own_reason():
    event, time, risk = np.array([0, 1, 0]), np.array([4.0, 6, 9]), np.array([1.0, 3, 2])
    result = survival_metrics(event, time, risk, seed=0, train=TRAIN, hazards=np.full((3, 3), 0.5))
    assert (result["c_index_ipcw"], result["td_auc"], result["ibs"]) == (None, 1.0, None)
    assert result["reasons"]["c_index_ipcw"] == "no death before the last inner bin edge (6 months)"
    assert result["reasons"]["ibs"].startswith("the first inner bin edge (3 months) is before the follow-up times")


def test_training_bins_without_edges_are_the_reason_of_all_three():
    train = TrainingOutcomes(event=[1, 1, 1], time=[1, 2, 3], bin=[0, 1, 0])
    cohort = np.array([1, 1, 0]), np.array([1.0, 2, 4]), np.array([1, 2, 0])
    result = survival_metrics(*cohort, seed=0, train=train, hazards=np.full((3, 2), 0.5))
    assert result["reasons"] == dict.fromkeys(NO_OUTCOMES, "the training times of bins 0 and 1 overlap")
    assert [result[name] for name in NO_OUTCOMES] == [None, None, None]


def test_nothing_of_it_is_computed_without_training_outcomes(monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object, **__: object) -> None:
        raise AssertionError

    for name in ("inner_bin_edges", "uno_concordance", "dynamic_auc", "integrated_brier"):
        monkeypatch.setattr(metrics, name, fail)
    cohort = np.array([1, 1, 0]), np.array([1.0, 2, 3]), np.arange(3)
    assert survival_metrics(*cohort, with_interval=False)["c_index"] == 0.0
    with pytest.raises(AssertionError):
        survival_metrics(*cohort, with_interval=False, train=TRAIN, hazards=np.full((3, 3), 0.5))


def test_training_outcomes_and_hazards_that_do_not_belong_together_are_refused():
    cohort = np.array([1, 1, 0]), np.array([1.0, 2, 3]), np.arange(3)
    for half in ({"train": TRAIN}, {"hazards": np.full((3, 3), 0.5)}):
        with pytest.raises(ValueError, match="expected both of train and hazards or none"):
            survival_metrics(*cohort, seed=0, **half)
    for hazards in (np.full(3, 0.5), np.full((2, 3), 0.5), np.full((3, 3), np.nan)):
        with pytest.raises(ValueError, match=r"hazards: expected finite numbers of shape \(3, C\)"):
            survival_metrics(*cohort, seed=0, train=TRAIN, hazards=hazards)
    with pytest.raises(ValueError, match="bin: expected integers from 0 to 1, got 2"):
        survival_metrics(*cohort, seed=0, train=TRAIN, hazards=np.full((3, 2), 0.5))


def test_the_names_of_the_tables_are_among_the_results():
    survival = survival_metrics(np.ones(3), np.arange(3), np.arange(3), seed=0)
    classification = classification_metrics(np.array([0, 1]), np.eye(2))
    assert set(SURVIVAL.metrics) <= set(survival)
    assert set(CLASSIFICATION.metrics) <= set(classification)
    json.dumps([survival, classification], allow_nan=False)
