"""What becomes of a synthetic case: a class, or a survival time, drawn from its true risk."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# Median survival in months of a case of average risk.
MEDIAN_MONTHS = 30.0


class Survival(NamedTuple):
    """Times in months (n,) float64 and censorship (n,) int64, 1 = censored."""

    time: np.ndarray
    censored: np.ndarray


def standardised(signal: np.ndarray) -> np.ndarray:
    """Return the signal with mean 0 and standard deviation 1 over the cases; zeros when it is constant."""
    spread = signal.std()
    return (signal - signal.mean()) / spread if spread > 0 else np.zeros_like(signal)


def draw_survival(log_hazard: np.ndarray, censored_fraction: float, rng: np.random.Generator) -> Survival:
    """Draw exponential survival times and independent exponential censoring.

    T = MEDIAN_MONTHS / log 2 * E / exp(log_hazard) and C = c U, with E and U standard exponential; observed is the
    smaller. The scale c is set so that the share of censored cases is `censored_fraction`, to the nearest case.
    """
    n = len(log_hazard)
    death = MEDIAN_MONTHS / np.log(2) * rng.exponential(size=n) * np.exp(-log_hazard)
    censoring = rng.exponential(size=n)
    n_censored = min(round(censored_fraction * n), n - 1)
    # A case is censored when c < death / censoring: c lies between the ratios of the last case in and the first out.
    ratio = np.sort(death / censoring)[::-1]
    scale = np.sqrt(ratio[n_censored - 1] * ratio[n_censored]) if n_censored else np.inf
    censored = censoring * scale < death
    time = np.where(censored, censoring * scale, death)
    # Two decimals of a month are less than a day; no observed time is 0.
    return Survival(np.maximum(time.round(2), 0.01), censored.astype(np.int64))


def draw_labels(log_odds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw classes (n,) int64: 1 where log odds plus logistic noise are above their median, so that classes balance."""
    score = log_odds + rng.logistic(size=len(log_odds))
    return (score > np.median(score)).astype(np.int64)


def balanced_labels(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return n // 2 ones and the rest zeros (int64) in random order."""
    return rng.permutation((np.arange(n) < n // 2).astype(np.int64))
