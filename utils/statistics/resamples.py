"""Bootstrap resamples of the patients of a fold, as the copies of each row of its prediction table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from utils.machine.seed import derive_seed


def resample_counts(n_cases: int, n_resamples: int, seed: int) -> np.ndarray:
    """(n_resamples, n_cases): how often each case is drawn when n_cases are drawn with replacement."""
    if n_cases < 1 or n_resamples < 1:
        raise ValueError(f"expected at least one case and one resample, got {n_cases} and {n_resamples}")
    drawn = np.random.default_rng(seed).integers(0, n_cases, size=(n_resamples, n_cases))
    offset = n_cases * np.arange(n_resamples)[:, None]
    return np.bincount((drawn + offset).ravel(), minlength=drawn.size).reshape(drawn.shape)


def resampled_patients(table: pd.DataFrame, fold: int, *, seed: int, n_resamples: int) -> np.ndarray:
    """(1 + n_resamples, n): the table itself, then the copies of its rows in resamples of its patients.

    A patient (`case_id`) is drawn with all rows it has. Equal folds and seeds give equal draws.
    """
    patients, patient_of_row = np.unique(table["case_id"].to_numpy(dtype=str), return_inverse=True)
    # An older name, from when intervals of metrics were of the same draws: another one would move every band.
    drawn = resample_counts(len(patients), n_resamples, derive_seed(seed, "metric intervals", fold))[:, patient_of_row]
    return np.concatenate([np.ones((1, len(table)), dtype=drawn.dtype), drawn])
