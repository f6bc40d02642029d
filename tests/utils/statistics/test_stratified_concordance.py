from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sksurv.datasets import load_whas500

from utils.statistics.stratified_concordance import stratified_concordance
from utils.statistics.survival_stats import UndefinedMetricError, concordance


def table(time: list[float], event: list[int], risk: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"time": time, "event": event, "risk": risk})


def test_it_equals_the_stratified_concordance_of_r():
    """R: d$fold <- (seq(500) - 1) %% 4; concordance(Surv(time, event) ~ age + strata(fold), d, reverse = TRUE)."""
    covariates, outcome = load_whas500()
    cases = pd.DataFrame({"time": outcome["lenfol"], "event": outcome["fstat"], "risk": covariates["age"]})
    found = stratified_concordance({fold: cases[np.arange(500) % 4 == fold] for fold in range(4)})
    assert found.value == pytest.approx(0.729837415766392, abs=1e-14)
    assert found.n_pairs == 13459 + 4864 + 375


def test_folds_weigh_by_their_pairs():
    # Three of three pairs, and none of one: 3 of 4, where the mean of the folds is 1/2.
    folds = {0: table([1, 2, 3], [1, 1, 1], [3, 2, 1]), 1: table([1, 2], [1, 0], [1, 2])}
    found = stratified_concordance(folds)
    assert (found.value, found.n_pairs, found.folds) == (0.75, 4, (0, 1))


def test_patients_of_two_folds_are_not_compared():
    one = table([1, 4], [1, 1], [2, 1])
    found = stratified_concordance({0: one, 1: one.assign(risk=one["risk"] + 100)})
    assert (found.value, found.n_pairs) == (1.0, 2)
    assert concordance(*(np.concatenate([one[n], one[n]]) for n in ("event", "time")), np.array([2, 1, 102, 101])) < 1


def test_a_fold_without_a_pair_is_no_part_of_it():
    nobody = table([1, 2], [0, 0], [1, 2])
    assert stratified_concordance({0: nobody, 2: table([1, 2], [1, 0], [2, 1])}).folds == (2,)
    with pytest.raises(UndefinedMetricError, match="no comparable pair in any fold"):
        stratified_concordance({0: nobody})
