"""Discrete survival time: the edges of the time bins, and the bin of each case."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from utils.errors import UserError


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
    if n_bins < 2:
        raise UserError(f"{n_bins} survival bins were asked for: expected 2 or more")
    if flags.shape != times.shape:
        raise UserError(f"{times.size} survival times come with {flags.size} censorship values: expected one per case")
    if not np.isin(flags, (0, 1)).all():
        raise UserError("censorship holds a value other than 0 and 1: expected 1 = censored, 0 = event")
    events = times[flags == 0]
    if events.size == 0:
        raise UserError(
            f"there are no events among the {times.size} training cases: expected some with censorship 0 (1 = "
            "censored, 0 = event)"
        )
    inner = np.quantile(events, np.arange(1, n_bins) / n_bins)
    edges = np.concatenate([[0.0], inner, [np.inf]])
    if np.any(np.diff(edges) <= 0):
        named = ", ".join(f"{edge:g}" for edge in edges)
        raise UserError(
            f"the {events.size} event times of the training cases are too few or too tied for {n_bins} bins (edges "
            f"{named}): use fewer bins (--n_bins) or give the bins in the split file"
        )
    return edges


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
        raise UserError(
            f"{int(bad.sum())} of {times.size} survival times are negative or not finite (first: {times[bad][0]:g}): "
            "expected months, 0 or more"
        )
    return times
