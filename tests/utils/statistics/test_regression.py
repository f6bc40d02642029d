"""Its fits are those of `test_cox.py` and `test_logistic.py`, against R and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from utils.statistics.regression import Regression, names_or_numbers, stratum_codes


def test_limits_and_p_are_walds():
    """Effects of 1 and -0.3 with the standard errors 0.5 and 0.1."""
    model = Regression(np.array([1.0, -0.3]), np.array([[0.25, 0.02], [0.02, 0.01]]), -5.0, -7.0, 9)
    assert model.standard_error == pytest.approx([0.5, 0.1])
    assert model.low == pytest.approx([1 - 0.979982, -0.3 - 0.195996], abs=1e-6)
    assert model.high == pytest.approx([1 + 0.979982, -0.3 + 0.195996], abs=1e-6)
    assert model.p == pytest.approx([math.erfc(2 / math.sqrt(2)), math.erfc(3 / math.sqrt(2))])


def test_strata_are_numbered_and_covariates_named():
    assert stratum_codes(np.array(["b", "a", "b"]), 3).tolist() == [1, 0, 1]
    assert stratum_codes(None, 2).tolist() == [0, 0]
    assert names_or_numbers(None, 2) == ["covariate 1", "covariate 2"]
    assert names_or_numbers(("age",), 1) == ("age",)
