"""A linear target for survival: what simulated ridge models are fitted to."""

from __future__ import annotations

import numpy as np

from utils.statistics.survival_stats import n_at_risk


def martingale_residuals(event: np.ndarray, time: np.ndarray) -> np.ndarray:
    """(n,) `event - H(time)`, H Nelson and Aalen's estimate of the cumulative hazard: of the deaths more than expected.

    A ridge regression on them is the first Newton step of a ridge Cox model.

    >>> martingale_residuals(np.array([True, False, True]), np.array([1.0, 2.0, 3.0])).round(3).tolist()
    [0.667, -0.333, -0.333]
    """
    death_time, deaths = np.unique(time[event], return_counts=True)
    steps = np.cumsum(deaths / n_at_risk(time, death_time))
    hazard: np.ndarray = np.append(0.0, steps)[np.searchsorted(death_time, time, side="right")]
    return event - hazard
