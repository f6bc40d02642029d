"""Discrete survival time: the edges of the time bins, and the bin of each case."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from utils.errors import UserError
from utils.files.phrases import agreeing, counted

MOST_BINS = 1000
LONGEST_MONTHS = 12_000  # 1,000 years: what is longer is no time, and numbers near 1e308 have no sums


def bin_edges(time: ArrayLike, censored: ArrayLike, n_bins: int = 4) -> np.ndarray:
    """Return the n_bins + 1 edges of the bins, in months: 0, the inner quantiles of the uncensored times, infinity.

    `time` (months) and `censored` (1 = censored, 0 = event) are those of the **training** cases. The quantile p is the
    linear interpolation of the sorted times at position p (n - 1), numpy's default and that of `pandas.qcut`. Intervals
    are closed on the left: bin j holds edges[j] <= time < edges[j + 1].

    Raises UserError when no case has an event, or ties leave a bin empty of any time (two edges equal).

    >>> bin_edges([1, 2, 3, 4, 5, 100], [0, 0, 0, 0, 0, 1]).tolist()
    [0.0, 2.0, 3.0, 4.0, inf]
    """
    times, flags = _checked_times(time), np.asarray(censored)
    check_n_bins(n_bins)
    if flags.shape != times.shape:
        raise UserError(
            f"got {counted(times.size, 'survival time')} and {counted(flags.size, 'censorship value')}: expected one "
            "of each per case"
        )
    if not np.isin(flags, (0, 1)).all():
        raise UserError("censorship holds a value other than 0 and 1: expected 1 = censored, 0 = event")
    events = times[flags == 0]
    if events.size == 0:
        raise UserError(
            f"there are no events among the {counted(times.size, 'training case')}: expected some with censorship 0 (1 "
            "= censored, 0 = event)"
        )
    inner = np.quantile(events, np.arange(1, n_bins) / n_bins)
    edges = np.concatenate([[0.0], inner, [np.inf]])
    if np.any(np.diff(edges) <= 0):
        named = ", ".join(f"{edge:g}" for edge in edges)
        times_are = f"{counted(events.size, 'event time')} of the training cases {agreeing(events.size, 'is', 'are')}"
        raise UserError(
            f"the {times_are} too few or too tied for {n_bins} bins (edges {named}): use fewer bins (--n_bins) or give "
            "the bins in the split file"
        )
    return edges


def check_n_bins(n_bins: int) -> None:
    """Raise UserError for a number of time bins that no model can have: fewer than 2, or more than 1,000."""
    if not 2 <= n_bins <= MOST_BINS:
        raise UserError(f"got {counted(n_bins, 'survival bin')}: expected 2 to {MOST_BINS:,}")


def assign_bins(time: ArrayLike, edges: np.ndarray) -> np.ndarray:
    """Return the bin (int64, 0..n_bins-1) of each time in months, by intervals closed on the left.

    Raises UserError for a time that is negative or not finite.

    >>> assign_bins([0.0, 1.9, 2.0, 99.0], np.array([0.0, 2.0, 3.0, np.inf])).tolist()
    [0, 0, 1, 2]
    """
    return np.searchsorted(edges[1:-1], _checked_times(time), side="right").astype(np.int64)


def _checked_times(time: ArrayLike) -> np.ndarray:
    times = np.asarray(time, dtype=np.float64)
    if times.ndim != 1:
        raise UserError(f"survival times have shape {times.shape}: expected one number per case")
    bad = ~np.isfinite(times) | (times < 0)
    if bad.any():
        are = agreeing(int(bad.sum()), "is", "are")
        raise UserError(
            f"{int(bad.sum())} of {counted(times.size, 'survival time')} {are} negative or not finite (first: "
            f"{times[bad][0]:g}): expected months, 0 or more"
        )
    return times
