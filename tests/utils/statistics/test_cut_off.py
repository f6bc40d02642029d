from __future__ import annotations

import numpy as np
import pytest
from sksurv.compare import compare_survival
from sksurv.util import Surv

from tests.utils.report.cohorts import survival_fold
from utils.statistics.cut_off import divided, divided_with_p, ensemble_cut_off, median_risk
from utils.statistics.survival_stats import UndefinedMetricError


def test_a_hand_worked_cut_off():
    table = survival_fold(0, n=5).assign(risk=[-3.0, -1.0, -2.5, -0.5, -2.0])
    assert median_risk(table) == -2.0
    assert ensemble_cut_off({0: -2.0, 4: -1.0}) == -1.5
    assert divided(table, -2.0).high.tolist() == [False, True, False, True, True]  # at the cut-off is high


def test_the_cut_off_is_not_one_of_the_cohort():
    """All risks above the cut-off are one group, whatever their own median is."""
    table = survival_fold(0).assign(risk=lambda table: np.arange(len(table)) + 1.0)
    with pytest.raises(UndefinedMetricError, match=r"at or above the cut-off of the training cases, 0\.5"):
        divided(table, 0.5)
    with pytest.raises(UndefinedMetricError, match="below the cut-off"):
        divided(table, 1e6)
    with pytest.raises(UndefinedMetricError, match="no cut-off of the training cases is known"):
        divided_with_p(table, None)


def test_p_is_that_of_scikit_survival():
    table = survival_fold(3, n=60)
    cut_off = float(np.quantile(table["risk"], 0.3))
    found = divided_with_p(table, cut_off)
    outcome = Surv.from_arrays(table["event"].to_numpy().astype(bool), table["time"])
    assert found.p == pytest.approx(compare_survival(outcome, table["risk"] >= cut_off)[1])


def test_groups_without_deaths_have_no_p():
    table = survival_fold(3, n=40).assign(event=0)
    found = divided_with_p(table, float(table["risk"].median()))
    assert found.p is None
    assert found.reason == "no events"
