from __future__ import annotations

import numpy as np
import pytest

from utils.runs.predictions import classification_table, survival_table
from utils.statistics.ensemble import ensemble_table, hazards_of


def _survival(hazard, risk=0.0):
    n = len(hazard)
    ids = [f"P{i}" for i in range(n)]
    known = {"time": np.full(n, 5.0), "event": np.ones(n), "bin": np.zeros(n)}
    return survival_table(ids, [[name] for name in ids], **known, risk=np.full(n, risk), hazard=np.array(hazard))


def test_a_hand_worked_survival_ensemble():
    """Survival 0.5, 0.25 and 0.9, 0.45: the mean curve is 0.7, 0.35, so half of those who pass bin 0 die in bin 1."""
    mean = ensemble_table({0: _survival([[0.5, 0.5]]), 3: _survival([[0.1, 0.5]])})
    assert mean[["hazard_0", "hazard_1"]].to_numpy() == pytest.approx(np.array([[0.3, 0.5]]))
    assert mean["risk"].tolist() == pytest.approx([-1.05])
    assert mean["case_id"].tolist() == ["P0"]


def test_the_ensemble_is_not_the_mean_of_the_hazards():
    mean = ensemble_table({0: _survival([[0.9, 0.1]]), 1: _survival([[0.1, 0.9]])})
    # S: 0.1, 0.09 and 0.9, 0.09; the mean 0.5, 0.09 has hazard 1 - 0.18 in bin 1, where the hazards have mean 0.5.
    assert mean["hazard_1"].tolist() == pytest.approx([0.82])


def test_a_hand_worked_classification_ensemble():
    ids, slides, label = ["a", "b"], [["s"], ["t"]], np.array([0, 1])
    first = classification_table(ids, slides, label, np.array([[0.9, 0.1], [0.2, 0.8]]))
    second = classification_table(ids, slides, label, np.array([[0.3, 0.7], [0.4, 0.6]]))
    third = classification_table(ids, slides, label, np.array([[0.0, 1.0], [0.0, 1.0]]))
    mean = ensemble_table({0: first, 1: second, 2: third})
    assert mean["prob_1"].tolist() == pytest.approx([0.6, 0.8])
    assert mean["prediction"].tolist() == [1, 1]
    assert first["prediction"].tolist() == [0, 1]  # the tables of the folds stay


def test_one_fold_is_its_own_ensemble():
    rng = np.random.default_rng(0)
    table = _survival(rng.random((20, 4)))
    mean = ensemble_table({0: table})
    hazards = [f"hazard_{j}" for j in range(4)]
    np.testing.assert_allclose(mean[hazards], table[hazards], atol=1e-12)


def test_nobody_left_has_hazard_1():
    np.testing.assert_array_equal(hazards_of(np.array([[0.0, 0.0]])), [[1.0, 1.0]])


def test_tables_of_other_cases_are_refused():
    one, other = _survival([[0.5], [0.5]]), _survival([[0.5], [0.5]]).iloc[::-1].reset_index(drop=True)
    with pytest.raises(ValueError, match="the same cases"):
        ensemble_table({0: one, 1: other})
