"""Figures of R 4.2.2 (survival 3.5) stand beside the calls that printed them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sksurv.compare import compare_survival
from sksurv.datasets import load_gbsg2, load_veterans_lung_cancer, load_whas500
from sksurv.util import Surv
from statsmodels.duration.survfunc import survdiff

from utils.statistics.cox import cox
from utils.statistics.group_effect import group_effect
from utils.statistics.survival_stats import UndefinedMetricError, logrank_p


def _halves_of_four_folds() -> tuple[np.ndarray, ...]:
    """whas500 in folds row by row, divided at the median age of each fold."""
    x, y = load_whas500()
    age, fold = x["age"].to_numpy(float), np.arange(len(x)) % 4
    high = np.array([age[i] >= np.median(age[fold == fold[i]]) for i in range(len(x))])
    return y["fstat"], y["lenfol"], high, fold


def test_halves_by_fold_as_in_r():
    """`high <- age >= ave(age, fold, FUN = median)`; `coxph`, `survdiff(Surv(time, event) ~ high + strata(fold))`."""
    event, time, high, fold = _halves_of_four_folds()
    found = group_effect(event, time, high, fold)
    assert math.log(found.hazard_ratio or 0) == pytest.approx(1.53339339528, rel=1e-8)
    assert [math.log(limit or 0) for limit in (found.low, found.high)] == pytest.approx(
        [1.20284438906, 1.8639424015], rel=1e-8
    )
    assert found.p == pytest.approx(1.79907829542334e-23, rel=1e-6)
    assert found.reasons == {}
    # Not stratified: survdiff(Surv(time, event) ~ high).
    assert group_effect(event, time, high).p == pytest.approx(8.82911361830424e-24, rel=1e-6)


def test_stratified_log_rank_as_in_r():
    x, y = load_veterans_lung_cancer()  # survdiff(Surv(time, event) ~ (Karnofsky_score >= 60) + strata(Celltype))
    group = (x["Karnofsky_score"] >= 60).to_numpy()
    p = logrank_p(y["Status"], y["Survival_in_days"], group, x["Celltype"].to_numpy())
    assert p == pytest.approx(2.79595863124e-07, rel=1e-8)
    x, y = load_gbsg2()  # survdiff(Surv(ceiling(time / 91), event) ~ (age >= 53) + strata(tgrade))
    quarters = np.ceil(y["time"] / 91)
    p = logrank_p(y["cens"], quarters, (x["age"] >= 53).to_numpy(), x["tgrade"].to_numpy())
    assert p == pytest.approx(0.680799925067, rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_another_program_agrees(seed: int):
    rng = np.random.default_rng(seed)
    group, strata, event = rng.random(80) < 0.4, rng.integers(0, 5, 80), rng.random(80) < 0.6
    time = np.ceil(rng.exponential(np.where(group, 5, 8)))
    assert logrank_p(event, time, group, strata) == pytest.approx(
        survdiff(time, event.astype(int), group, strata=strata)[1], rel=1e-8
    )
    by_sksurv = compare_survival(Surv.from_arrays(event, time), group)[1]
    assert logrank_p(event, time, group) == pytest.approx(by_sksurv, rel=1e-8)
    found = group_effect(event, time, group, strata)
    model = cox(event, time, group[:, None].astype(float), strata)
    assert found.hazard_ratio == pytest.approx(math.exp(model.effect[0]))
    assert (found.low, found.high) == pytest.approx((math.exp(model.low[0]), math.exp(model.high[0])))


def test_a_hand_worked_table_of_two_strata():
    """Stratum a: high dies at 1, low at 2, one low is left; stratum b: low dies at 1, a high and a low are left.

    Observed minus expected: a: 1 - 1/3 and 0 at 2 (no high left); b: 0 - 1/3. Variances 2/9 each. So
    (1/3)^2 / (4/9) = 1/4. Partial likelihood r / (r + 2) * 1 / (r + 2) with its maximum at r = 2.
    """
    event, time = np.array([1, 1, 0, 1, 0, 0]), np.array([1.0, 2, 3, 1, 2, 3])
    high, strata = np.array([1, 0, 0, 0, 1, 0], bool), np.array(list("aaabbb"))
    found = group_effect(event, time, high, strata)
    assert found.p == pytest.approx(math.erfc(math.sqrt(1 / 4 / 2)))
    assert found.hazard_ratio == pytest.approx(2.0)
    # Information 2 * r * 2 / (r + 2)^2 = 1/2: standard error sqrt(2).
    assert found.high == pytest.approx(2 * math.exp(1.959964 * math.sqrt(2)), rel=1e-6)


def _effect(event: list[int], high: list[int], strata: list[int] | None = None) -> dict[str, str]:
    found = group_effect(
        np.array(event),
        np.arange(1.0, 1 + len(event)),
        np.array(high, bool),
        None if strata is None else np.array(strata),
    )
    assert (found.hazard_ratio is None) == ("hazard_ratio" in found.reasons)
    assert (found.p is None) == ("p" in found.reasons)
    return found.reasons


def test_what_is_undefined_has_its_reason():
    assert _effect([0, 0], [0, 1]) == dict.fromkeys(("hazard_ratio", "p"), "no events")
    assert _effect([1, 1], [1, 1]) == dict.fromkeys(("hazard_ratio", "p"), "all cases are in one group")
    only_high = "infinite: while both groups are at risk, only high-risk cases die"
    assert _effect([1, 1, 1, 1], [1, 1, 0, 0]) == {"hazard_ratio": only_high}
    assert _effect([1, 0, 0], [0, 0, 1]) == {
        "hazard_ratio": "0: while both groups are at risk, only low-risk cases die"
    }
    apart = _effect([1, 1, 1, 1], [1, 1, 0, 0], strata=[0, 0, 1, 1])  # each stratum has one group
    assert apart == {
        "hazard_ratio": "the groups are never at risk together at a death",
        "p": "the groups are never at risk together at a death that someone survives",
    }
    # Both die at once and nobody is left: a ratio of 1, and no variance.
    at_once = group_effect(np.ones(2), np.ones(2), np.array([True, False]))
    assert at_once.hazard_ratio == pytest.approx(1)
    assert at_once.reasons == {"p": "the groups are never at risk together at a death that someone survives"}


def test_the_reason_of_the_ratio_is_exact():
    """Small cohorts with ties: a ratio exactly where the likelihood has a maximum (`cox` finds it or does not)."""
    rng, undefined = np.random.default_rng(3), 0
    for _ in range(60):
        n_cases = int(rng.integers(3, 9))
        event, time = rng.random(n_cases) < 0.5, rng.integers(1, 5, n_cases).astype(float)
        high, strata = rng.random(n_cases) < 0.5, rng.integers(0, 2, n_cases)
        found = group_effect(event, time, high, strata)
        try:
            cox(event, time, high[:, None].astype(float), strata)
        except UndefinedMetricError:
            undefined += 1
            assert found.hazard_ratio is None
        else:
            assert found.hazard_ratio is not None
    assert 10 < undefined < 55
