from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from datasets.folds.survival_bins import assign_bins, bin_edges
from utils.errors import UserError


def test_edges_worked_by_hand() -> None:
    # Uncensored times sorted: 1, 2, 4, 8, 16; positions 1, 2, 3 of 0..4 are the quartiles. The censored 100 is out.
    edges = bin_edges([16, 100, 1, 8, 2, 4], [0, 1, 0, 0, 0, 0])
    assert edges.tolist() == [0.0, 2.0, 4.0, 8.0, np.inf]
    # Two bins of 1, 2, 4, 8: the median lies half-way between 2 and 4.
    assert bin_edges([1, 2, 4, 8], [0, 0, 0, 0], n_bins=2).tolist() == [0.0, 3.0, np.inf]


def test_intervals_are_closed_on_the_left() -> None:
    edges = np.array([0.0, 2.0, 4.0, 8.0, np.inf])
    bins = assign_bins([0.0, 1.999, 2.0, 4.0, 7.999, 8.0, 1e6], edges)
    assert bins.tolist() == [0, 0, 1, 2, 2, 3, 3]
    assert bins.dtype == np.int64


@pytest.mark.parametrize("n_bins", [2, 3, 4, 7])
def test_agrees_with_pandas(n_bins: int) -> None:
    rng = np.random.default_rng(n_bins)
    time, censored = rng.exponential(30, size=101), rng.integers(0, 2, size=101)
    edges = bin_edges(time, censored, n_bins)
    _, reference = pd.qcut(time[censored == 0], q=n_bins, retbins=True, labels=False)
    np.testing.assert_allclose(edges[1:-1], reference[1:-1], rtol=1e-12)
    expected = pd.cut(time, bins=edges, right=False, include_lowest=True, labels=False)
    assert assign_bins(time, edges).tolist() == expected.tolist()
    assert set(assign_bins(time[censored == 0], edges)) == set(range(n_bins))


@pytest.mark.parametrize(
    ("time", "censored", "n_bins", "message"),
    [
        ([1, 2, 3], [1, 1, 1], 4, "no events among the 3 training cases: expected some"),
        ([5, 5, 5, 5, 5], [0, 0, 0, 0, 1], 4, r"tied for 4 bins \(edges 0, 5, 5, 5, inf\)"),
        ([0, 0, 0, 0, 9], [0, 0, 0, 0, 0], 4, r"edges 0, 0, 0, 0, inf"),
        ([1, 2, np.nan], [0, 0, 0], 2, "1 of 3 survival times is negative or not finite"),
        ([1, -2, 3], [0, 0, 0], 2, r"first: -2\)"),
        ([1, 2, 3], [0, 2, 0], 2, "other than 0 and 1"),
        ([1, 2, 3], [0, 0], 2, "got 3 survival times and 2 censorship values: expected one of each"),
        ([1, 2, 3], [0, 0, 0], 1, "got 1 survival bin: expected 2 to 1,000"),
        ([1, 2, 3], [0, 0, 0], 10**12, "expected 2 to 1,000"),
        ([[1, 2], [3, 4]], [[0, 0], [0, 0]], 2, r"shape \(2, 2\)"),
    ],
)
def test_refuses(time: list[float], censored: list[int], n_bins: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        bin_edges(time, censored, n_bins)


def test_assign_refuses_a_negative_time() -> None:
    with pytest.raises(UserError, match="negative"):
        assign_bins([-0.1], np.array([0.0, 1.0, np.inf]))
