"""Figures of R 4.2.2 (survival 3.5): `coxph(..., ties = "efron", control = coxph.control(eps = 1e-12))`."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from sksurv.datasets import load_gbsg2, load_veterans_lung_cancer, load_whas500
from statsmodels.duration.hazard_regression import PHReg

from utils.statistics.cox import cox
from utils.statistics.regression import Regression
from utils.statistics.survival_stats import UndefinedMetricError
from utils.statistics.univariate_cox import univariate_cox


def _veterans(*names: str) -> Regression:
    x, y = load_veterans_lung_cancer()
    x["test"] = x["Treatment"] == "test"
    return cox(y["Status"], y["Survival_in_days"], x[list(names)].to_numpy(float), x["Celltype"].to_numpy())


def test_strata_and_tied_deaths_as_in_r():
    """`coxph(Surv(time, event) ~ Age_in_years + Karnofsky_score + (Treatment == "test") + strata(Celltype))`."""
    model = _veterans("Age_in_years", "Karnofsky_score", "test")
    assert model.n == 137
    np.testing.assert_allclose(model.effect, [-0.0118319525454, -0.0374976938898, 0.291438612556], rtol=1e-9)
    np.testing.assert_allclose(model.standard_error, [0.00974482796856, 0.005742942895, 0.207374168502], rtol=1e-9)
    np.testing.assert_allclose(model.p, [0.224679884503, 6.60549832456e-11, 0.159909595405], rtol=1e-8)
    np.testing.assert_allclose(model.low, [-0.0309314643993, -0.0487536551293, -0.115007289031], rtol=1e-9)
    np.testing.assert_allclose(model.high, [0.0072675593085, -0.0262417326503, 0.697884514143], rtol=1e-9)
    np.testing.assert_allclose(
        model.covariance[np.triu_indices(3, 1)], [1.40861302500e-05, -4.83376440573e-04, -1.11000373117e-04], rtol=1e-9
    )
    assert model.log_likelihood == pytest.approx(-316.858259658, abs=1e-8)
    assert model.log_likelihood_null == pytest.approx(-338.736207226, abs=1e-8)


def test_covariates_of_different_units_as_in_r():
    """`coxph(Surv(time, event) ~ age + bmi + gender + hr + sysbp)`, whas500."""
    x, y = load_whas500()
    model = cox(y["fstat"], y["lenfol"], x[["age", "bmi", "gender", "hr", "sysbp"]].to_numpy(float))
    expected = [0.0596721579097, -0.0417406240279, -0.136691551778, 0.0122228143659, -0.00394988968986]
    errors = [0.00660670798386, 0.0157048097944, 0.141826872767, 0.00274740515378, 0.00218101490522]
    np.testing.assert_allclose(model.effect, expected, rtol=1e-8)
    np.testing.assert_allclose(model.standard_error, errors, rtol=1e-9)
    assert model.log_likelihood == pytest.approx(-1141.26193406, abs=1e-7)


def test_many_tied_deaths_in_strata_of_two_variables_as_in_r():
    """gbsg2: `coxph(Surv(ceiling(time / 91), event) ~ age + pnodes + (horTh == "yes") + strata(menostat, tgrade))`."""
    x, y = load_gbsg2()
    covariates = np.column_stack([x["age"], x["pnodes"], x["horTh"] == "yes"]).astype(float)
    strata = (x["menostat"].astype(str) + x["tgrade"].astype(str)).to_numpy()
    model = cox(y["cens"], np.ceil(y["time"] / 91), covariates, strata)
    np.testing.assert_allclose(model.effect, [-0.0114452606667, 0.0536235589804, -0.359845467916], rtol=1e-8)
    np.testing.assert_allclose(model.standard_error, [0.0090063027707, 0.00689710220169, 0.129667950489], rtol=1e-9)
    assert model.log_likelihood == pytest.approx(-1327.44528322, abs=1e-7)


def test_another_program_agrees_on_random_cohorts():
    rng = np.random.default_rng(1)
    for _ in range(8):
        x, strata = rng.normal(size=(50, 3)) * [1, 100, 0.01], rng.integers(0, 4, 50)
        time, event = np.ceil(rng.exponential(9 * np.exp(-0.6 * x[:, 0]))), rng.random(50) < 0.7
        model = cox(event, time, x, strata)
        other = PHReg(time, x, status=event.astype(int), strata=strata, ties="efron").fit()
        np.testing.assert_allclose(model.effect, other.params, atol=1e-5 * model.standard_error.min(), rtol=1e-5)
        np.testing.assert_allclose(model.standard_error, other.bse, rtol=1e-5)
        assert model.log_likelihood == pytest.approx(other.llf, rel=1e-9)


def test_it_is_defined_exactly_where_one_covariate_has_a_maximum():
    """`univariate_cox` has exact conditions; a third of these cohorts are (nearly) separated."""
    rng, defined = np.random.default_rng(0), 0
    for index in range(100):
        n_cases = int(rng.integers(3, 30))
        x = rng.normal(size=n_cases) if index % 2 else rng.integers(0, 3, n_cases).astype(float)
        time = np.ceil(3 * rng.exponential(np.exp(-(0, 1, 4, 12)[index % 4] * x)))
        event = rng.random(n_cases) < (0.2, 0.6, 1)[index % 3]
        try:
            expected = univariate_cox(event, time, x)
        except UndefinedMetricError:
            with pytest.raises(UndefinedMetricError):
                cox(event, time, x[:, None])
            continue
        defined += 1
        model = cox(event, time, x[:, None])
        assert model.effect[0] == pytest.approx(expected.log_hazard, abs=1e-6 * expected.standard_error)
        assert model.standard_error[0] == pytest.approx(expected.standard_error, rel=1e-6)
        assert model.p[0] == pytest.approx(expected.p, rel=1e-5, abs=1e-12)
    assert 50 < defined < 95


def test_a_value_far_from_all_others_leaves_their_coefficient_as_it_is():
    """A case 5,000 deviations above the others dies first, as foretold: its term is 0 at the coefficient of the others.

    Log hazards of cases are 5,000 apart there, exp of which is no floating-point number.
    """
    rng = np.random.default_rng(2)
    x = rng.normal(size=60)
    time, event = 1 + rng.exponential(np.exp(-x)), np.append(True, rng.random(59) < 0.7)
    rest = cox(event, time, x[:, None])
    model = cox(np.append(True, event), np.append(0.5, time), np.append(5000.0, x)[:, None])
    np.testing.assert_allclose(model.effect, rest.effect, rtol=1e-8)
    np.testing.assert_allclose(model.standard_error, rest.standard_error, rtol=1e-6)
    assert model.log_likelihood == pytest.approx(rest.log_likelihood)


def test_a_value_of_a_case_that_left_before_the_first_death_is_of_no_account():
    rng = np.random.default_rng(3)
    x = rng.normal(size=60)
    time, event = 1 + rng.exponential(np.exp(-x)), rng.random(60) < 0.7
    rest = cox(event, time, x[:, None])
    model = cox(np.append(False, event), np.append(0.5, time), np.append(1e9, x)[:, None])
    np.testing.assert_allclose(model.effect, rest.effect, rtol=1e-9)
    assert (model.log_likelihood, model.n) == (pytest.approx(rest.log_likelihood), 61)


def test_a_stratum_without_deaths_adds_nothing_and_labels_are_of_any_kind():
    rng = np.random.default_rng(4)
    x, time, event = rng.normal(size=(40, 2)), rng.exponential(9, 40), rng.random(40) < 0.6
    strata = np.where(np.arange(40) < 20, "a", "b")
    model = cox(event, time, x, strata)
    more = cox(
        np.append(event, [False] * 5),
        np.append(time, np.ones(5)),
        np.vstack([x, 100 * np.ones((5, 2))]),
        pd.Series(np.append(strata, ["c"] * 5), dtype="category").to_numpy(),
    )
    np.testing.assert_allclose(more.effect, model.effect, rtol=1e-9)
    assert more.log_likelihood == pytest.approx(model.log_likelihood)
    assert more.n == 45


def _cohort(x: list[list[float]]) -> Regression:
    event, time = np.array([1, 1, 0, 1, 1, 0]), np.array([1.0, 2, 3, 4, 5, 6])
    return cox(event, time, np.array(x), names=["age", "stage", "grade"][: len(x[0])])


def test_what_has_no_coefficients_is_refused_in_words():
    some = [3.0, 1, 2, 5, 1, 4]
    with pytest.raises(UndefinedMetricError, match="no events"):
        cox(np.zeros(3), np.ones(3), np.ones((3, 1)))
    with pytest.raises(UndefinedMetricError, match=r"constant among the cases at risk at every death: stage$"):
        _cohort([[a, 7.0] for a in some])
    with pytest.raises(UndefinedMetricError, match=r"collinear among the cases at risk: age, grade$"):
        _cohort([[a, b, 2 * a + 1] for a, b in zip(some, [2.0, 4, 1, 3, 5, 1], strict=True)])
    with pytest.raises(UndefinedMetricError, match="no maximum"):
        _cohort([[-t] for t in (1.0, 2, 3, 4, 5, 6)])  # the highest value always dies first
    # Neither separates alone; their sum does.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UndefinedMetricError, match="no maximum"):
            _cohort([[a, -t - a] for t, a in enumerate(some)])


@pytest.mark.parametrize(
    ("covariates", "strata", "message"),
    [
        (np.ones(3), None, r"covariates: expected shape \(3, p\)"),
        (np.ones((3, 0)), None, r"covariates: expected shape \(3, p\)"),
        (np.array([[1.0], [np.nan], [2.0]]), None, "covariates: expected finite numbers"),
        (np.ones((3, 1)), np.ones(2), r"strata: expected shape \(3,\), got \(2,\)"),
    ],
)
def test_wrong_input_is_an_error(covariates: np.ndarray, strata: np.ndarray | None, message: str):
    with pytest.raises(ValueError, match=message):
        cox(np.ones(3), np.array([1.0, 2, 3]), covariates, strata)
