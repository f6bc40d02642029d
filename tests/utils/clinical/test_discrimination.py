from __future__ import annotations

import numpy as np
import pytest

from tests.utils.clinical.cases import class_cases, survival_cases
from utils.clinical.discrimination import cross_fitted, discrimination
from utils.clinical.models import BOTH, COVARIATES, standardised_within_folds
from utils.clinical.predicted_cases import PredictedCases
from utils.statistics.cox import cox
from utils.statistics.survival_stats import UndefinedMetricError


def _cohort(seed: int, n: int = 120) -> tuple[PredictedCases, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(size=n), rng.integers(0, 2, n)])
    score = rng.normal(size=n)
    time = rng.exponential(10 * np.exp(-0.7 * x[:, 0] - 0.6 * score))
    return survival_cases(rng.random(n) < 0.7, time, np.arange(n) % 3, score), x


@pytest.mark.parametrize("model", [COVARIATES, BOTH])
def test_cases_are_ranked_by_coefficients_of_the_other_folds(model: str):
    cases, x = _cohort(1)
    found = cross_fitted(cases, x, ("age", "sex"), model)
    risk = standardised_within_folds(cases.score, cases.fold)[:, None]
    columns = np.concatenate([risk, x], axis=1) if model == BOTH else x
    for fold in range(3):
        own = cases.fold == fold
        fitted = cox(cases.outcome[~own], cases.time[~own], columns[~own], strata=cases.fold[~own])
        np.testing.assert_allclose(found[own], columns[own] @ fitted.effect, rtol=1e-7)


def test_a_noise_covariate_gains_nothing_out_of_fold():
    """Fitted and ranked on the same cases, ten noise covariates would seem to know something."""
    rng = np.random.default_rng(4)
    values = []
    for seed in range(10):
        cases, _ = _cohort(seed, n=90)
        found = discrimination(cases, rng.normal(size=(90, 10)), [f"x{index}" for index in range(10)])
        values.append(found["models"][COVARIATES]["value"])
    assert np.mean(values) < 0.53


def test_a_group_without_a_death_in_the_other_folds_ranks_last():
    cases, x = _cohort(2)
    group = np.arange(120) % 10 == 0  # 12 cases, four in each fold
    event = np.where(group, cases.fold == 0, cases.outcome)  # they die in fold 0 only
    cases = survival_cases(event, cases.time, cases.fold, cases.score)
    columns = np.column_stack([x[:, 0], group])
    found = cross_fitted(cases, columns, ("age", "group"), COVARIATES)
    own = cases.fold == 0  # no case of the group died in folds 1 and 2
    assert found[own & group].max() < found[own & ~group].min()
    kept = ~own & ~group
    fitted = cox(event[kept], cases.time[kept], columns[kept][:, :1], strata=cases.fold[kept])
    np.testing.assert_allclose(found[own & ~group], x[own & ~group, 0] * fitted.effect[0], rtol=1e-7)


def test_a_group_of_one_fold_has_no_effect_of_its_own_there():
    cases, x = _cohort(3)
    group = (cases.fold == 1) & (np.arange(120) < 60)
    found = cross_fitted(cases, np.column_stack([x[:, 0], group]), ("age", "group"), COVARIATES)
    own = cases.fold == 1
    fitted = cox(cases.outcome[~own], cases.time[~own], x[~own, :1], strata=cases.fold[~own])
    np.testing.assert_allclose(found[own], x[own, 0] * fitted.effect[0], rtol=1e-7)


def test_groups_of_one_class_rank_first_and_last():
    rng = np.random.default_rng(0)
    fold, age = np.arange(90) % 3, rng.normal(size=90)
    positive = rng.random(90) < 1 / (1 + np.exp(-age))
    first, last = np.arange(90) % 10 == 1, np.arange(90) % 10 == 2
    positive = np.where(first, True, np.where(last, False, positive))
    found = cross_fitted(
        class_cases(positive, fold, age), np.column_stack([age, first, last]), ("a", "b", "c"), COVARIATES
    )
    others = ~first & ~last
    assert found[first & (fold == 1)].min() > found[others & (fold == 1)].max()
    assert found[last & (fold == 2)].max() < found[others & (fold == 2)].min()


def test_one_fold_has_no_clinical_baseline_and_says_why():
    cases, x = _cohort(5)
    one = survival_cases(cases.outcome, cases.time, np.zeros(120, dtype=int), cases.score)
    found = discrimination(one, x, ("age", "sex"))
    assert found["models"]["risk"]["value"] is not None
    assert found["models"]["covariates"]["reason"].startswith(
        "the cases are all of fold 0, and there are none of others"
    )
    assert found["differences"]["risk_added"]["value"] is None


def test_a_fold_without_whose_cases_nothing_is_left_is_named():
    event, fold = np.array([0, 0, 0, 0, 1, 1, 1, 1]), np.repeat([0, 1], 4)
    cases = survival_cases(event, np.arange(1, 9), fold, np.arange(8.0))
    with pytest.raises(UndefinedMetricError, match="without the cases of fold 1 the model has no estimate: no events"):
        cross_fitted(cases, np.array([1.0, 2, 3, 4, 2, 4, 1, 3])[:, None], ("age",), COVARIATES)
