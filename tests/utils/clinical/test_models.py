from __future__ import annotations

import math

import numpy as np
import pytest

from tests.utils.clinical.cases import survival_cases
from utils.clinical.models import fit_models, standardised_within_folds


def test_the_risk_is_standardised_within_its_fold():
    rng = np.random.default_rng(0)
    fold, score = np.arange(40) % 4, rng.normal(size=40)
    found = standardised_within_folds(score * (1 + fold) - 5 * fold, fold)
    np.testing.assert_allclose(found, standardised_within_folds(score, fold))
    for one in range(4):
        assert (found[fold == one].mean(), found[fold == one].std()) == (pytest.approx(0), pytest.approx(1))


def test_equal_risks_of_a_fold_are_0():
    equal = np.full(7, 0.1)
    assert equal.std() > 0  # by rounding
    assert standardised_within_folds(equal, np.zeros(7)).tolist() == [0] * 7


@pytest.mark.parametrize("n_folds", [1, 2])
def test_the_test_is_corrected_where_folds_share_training_cases(n_folds: int):
    rng = np.random.default_rng(3)
    x, score = rng.normal(size=(60, 1)), rng.normal(size=60)
    cases = survival_cases(rng.random(60) < 0.8, rng.exponential(np.exp(-score)), np.arange(60) % n_folds, score)
    test = fit_models(cases, x, ["age"])["tests"]["risk_added"]
    half = math.erfc(math.sqrt(test["statistic"] / 4))  # P(Z^2 > half of it)
    assert test["p_corrected"] == (None if n_folds == 1 else pytest.approx(half))


def test_a_constant_risk_has_no_ratio_and_leaves_the_covariates_theirs():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40, 1))
    cases = survival_cases(rng.random(40) < 0.8, rng.exponential(np.exp(-x[:, 0])), np.arange(40) % 2, np.ones(40))
    found = fit_models(cases, x, ["age"])
    assert found["models"]["risk"]["terms"][0]["effect"] is None
    assert "model's risk" in found["models"]["risk"]["reason"]
    assert found["models"]["covariates"]["terms"][0]["effect"] > 1
    assert found["tests"]["risk_added"]["p"] is None
    assert found["tests"]["risk_added"]["reason"] == found["models"]["both"]["reason"]
