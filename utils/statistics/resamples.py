"""Bootstrap resamples of the patients of a fold, as the copies of each row of its prediction table."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from utils.machine.seed import derive_seed

_COUNTS_AT_ONCE = 2_000_000


def resample_counts(n_cases: int, n_resamples: int, seed: int | np.random.Generator) -> np.ndarray:
    """(n_resamples, n_cases): how often each case is drawn when n_cases are drawn with replacement.

    A generator goes on where it is: parts of the resamples, one after the other, are those of one call.
    """
    if n_cases < 1 or n_resamples < 1:
        raise ValueError(f"expected at least one case and one resample, got {n_cases} and {n_resamples}")
    drawn = np.random.default_rng(seed).integers(0, n_cases, size=(n_resamples, n_cases))
    drawn += n_cases * np.arange(n_resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)


def resampled_patients(table: pd.DataFrame, fold: int, *, seed: int, n_resamples: int) -> Iterator[np.ndarray]:
    """1 + n_resamples rows (n,): the table itself, then the copies of its rows in resamples of its patients.

    A patient (`case_id`) is drawn with all rows it has. Equal folds and seeds give equal draws.

    Yields:
        (k, n) the next k of them: all together would be 200 MB for 25,000 cases.
    """
    yield np.ones((1, len(table)), dtype=np.int64)
    patients, patient_of_row = np.unique(table["case_id"].to_numpy(dtype=str), return_inverse=True)
    # An older name, from when intervals of metrics were of the same draws: another one would move every band.
    rng = np.random.default_rng(derive_seed(seed, "metric intervals", fold))
    block = max(1, _COUNTS_AT_ONCE // len(table))
    for start in range(0, n_resamples, block):
        yield resample_counts(len(patients), min(block, n_resamples - start), rng)[:, patient_of_row]
