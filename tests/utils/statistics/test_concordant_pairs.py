"""Counting pairs: equal to the loop over all pairs, and to scikit-survival, whatever is tied."""

import numpy as np
import pytest
from sksurv.metrics import concordance_index_censored

from utils.statistics.concordant_pairs import ConcordantPairs, concordant_pairs, count_below
from utils.statistics.survival_stats import TIED_RISK


def pairs_by_loop(event: np.ndarray, time: np.ndarray, risk: np.ndarray, tied_within: float) -> ConcordantPairs:
    """From the definition, pair by pair."""
    n = len(event)
    counts = [np.zeros(n) for _ in range(4)]
    for i in np.flatnonzero(event):
        for j in range(n):
            if time[j] > time[i] or (time[j] == time[i] and not event[j]):
                difference = risk[i] - risk[j]
                won = 0.5 if abs(difference) <= tied_within else float(difference > 0)
                for count, at, value in zip(counts, (i, i, j, j), (1, won, 1, won), strict=True):
                    count[at] += value
    return ConcordantPairs(*counts)


def cohort(seed: int, n: int, *, times: int, risks: int, deaths: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    event, time = rng.random(n) < deaths, rng.integers(0, times, n).astype(float)
    return event, time, rng.integers(0, risks, n) / 7


@pytest.mark.parametrize("seed", range(40))
def test_every_count_equals_the_loop(seed: int) -> None:
    event, time, risk = cohort(seed, 1 + seed * 2, times=2 + seed % 9, risks=1 + seed % 11, deaths=(seed % 5) / 4)
    found, expected = concordant_pairs(event, time, risk, tied_within=0.0), pairs_by_loop(event, time, risk, 0.0)
    for name in ("outlived", "outlived_won", "outliving", "outliving_won"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


@pytest.mark.parametrize("seed", range(20))
def test_risks_near_the_limit_of_a_tie_are_tied_as_in_the_loop(seed: int) -> None:
    # Ties are not transitive, and a difference of 1e-8 itself is rounded one way or the other.
    rng = np.random.default_rng(seed)
    event, time, _ = cohort(seed, 60, times=12, risks=1, deaths=0.6)
    risk = rng.integers(0, 3, 60) + rng.integers(0, 6, 60) * TIED_RISK + rng.integers(-1, 2, 60) * 2.0**-52
    found, expected = (
        concordant_pairs(event, time, risk, tied_within=TIED_RISK),
        pairs_by_loop(event, time, risk, TIED_RISK),
    )
    for name in ("outlived", "outlived_won", "outliving", "outliving_won"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


@pytest.mark.parametrize("seed", range(10))
def test_concordance_has_the_bits_of_scikit_survival(seed: int) -> None:
    event, time, risk = cohort(seed, 400, times=40, risks=90, deaths=0.5)
    found = concordant_pairs(event, time, risk, tied_within=TIED_RISK)
    c, concordant, discordant, tied, _ = concordance_index_censored(event, time, risk, tied_tol=TIED_RISK)
    assert found.concordance == c
    assert found.outlived.sum() == found.outliving.sum() == concordant + discordant + tied
    assert found.outlived_won.sum() == found.outliving_won.sum() == concordant + tied / 2


def test_no_death_and_no_case_have_no_pair() -> None:
    nobody = np.zeros(0)
    for n in (0, 3):
        found = concordant_pairs(np.zeros(n, dtype=bool), np.arange(n), np.zeros(n), tied_within=0.0)
        assert np.isnan(found.concordance)
        np.testing.assert_array_equal(found.outliving, np.zeros(n))
    assert count_below(nobody.astype(int), np.zeros(1, dtype=int), np.array([5])).tolist() == [0]


@pytest.mark.parametrize("seed", range(10))
def test_count_below_is_the_count(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, n_first, bound = rng.integers(0, 50, 70), rng.integers(0, 71, 90), rng.integers(0, 60, 90)
    expected = [(values[:k] < b).sum() for k, b in zip(n_first, bound, strict=True)]
    np.testing.assert_array_equal(count_below(values, n_first, bound), expected)
