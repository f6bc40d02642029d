"""Cross-validation indices: train, validation and test of every fold, with the same mix of strata in each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import StratifiedKFold

from utils.errors import UserError
from utils.files.phrases import counted


class FoldIndices(NamedTuple):
    """Positions of the items of each part, ascending int64."""

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray


def fewest_items(n_folds: int) -> int:
    """Return how many items a stratum needs to be in train, validation and test of each fold."""
    return max(n_folds, 4 if n_folds == 2 else 3)


def check_strata(strata: np.ndarray, n_folds: int) -> None:
    """Raise UserError when there are fewer than 2 folds, or a stratum has too few items for the parts of each."""
    if n_folds < 2:
        raise UserError(f"got {counted(n_folds, 'fold')}: expected 2 or more")
    for stratum, count in zip(*np.unique(strata, return_counts=True), strict=True):
        if count < fewest_items(n_folds):
            raise UserError(
                f"stratum {stratum} (a label, or event 0 or 1) has {count} of {counted(len(strata), 'item')}, too few "
                f"for {n_folds} folds of train, validation and test: use fewer folds or more cases"
            )


def stratified_folds(strata: Sequence[int], n_folds: int, seed: int) -> list[FoldIndices]:
    """Split the items 0..n-1 into train, validation and test, once per fold, stratified by `strata` (n,).

    Over the folds each item is in test exactly once. The validation part is one fold of a second split of what is not
    test, into n_folds parts (fewer where a stratum is too small for that). The same seed gives the same folds.

    Raises UserError when a stratum has too few items to be in all three parts of each fold.
    """
    labels = np.asarray(strata)
    check_strata(labels, n_folds)
    outer = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    return [FoldIndices(*_split_rest(rest, labels, n_folds, seed), test) for rest, test in outer.split(labels, labels)]


def _split_rest(rest: np.ndarray, labels: np.ndarray, n_folds: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Train and validation positions among `rest`."""
    smallest = int(np.unique(labels[rest], return_counts=True)[1].min())
    inner = StratifiedKFold(max(2, min(n_folds, smallest)), shuffle=True, random_state=seed)
    train, val = next(inner.split(rest, labels[rest]))
    return rest[train], rest[val]
