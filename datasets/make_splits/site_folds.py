"""Folds that keep the patients of a hospital together: no site is in two of train, validation and test."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from datasets.folds.stratified_folds import FoldIndices, check_strata
from utils.errors import UserError
from utils.files.phrases import agreeing, counted

_BARCODE = re.compile(r"TCGA-(\w{2})-\w{4}")


def site_of(patient: str) -> str:
    """Return the tissue source site of a TCGA patient, characters 6 and 7 of the barcode; UserError for another id.

    >>> site_of("TCGA-2F-A9KO")
    '2F'
    """
    barcode = _BARCODE.fullmatch(patient)
    if not barcode:
        raise UserError(
            f"the case id {patient} is no TCGA barcode (TCGA-XX-XXXX), so its site is unknown: leave out "
            "--site_preserving, or give the column of the barcodes with --case_column"
        )
    return barcode.group(1)


def site_folds(strata: Sequence[int], sites: Sequence[str], n_folds: int, seed: int) -> list[FoldIndices]:
    """Split the items 0..n-1 into train, validation and test, once per fold, by whole sites.

    `strata` and `sites` are (n,). Over the folds each site is in test exactly once. Sites are dealt out by scikit-learn
    (StratifiedGroupKFold: the most uneven site first, each to the part whose strata it evens out most), so the parts
    are as alike as that finds, no more. The validation part is the one with the most even strata of a second split of
    what is not test, into up to n_folds parts. The same seed gives the same folds.

    Raises UserError when there are too few sites or items for three parts of each fold.
    """
    labels = np.asarray(strata)
    check_strata(labels, n_folds)
    names, site = np.unique(np.asarray(sites), return_inverse=True)
    if len(names) < max(n_folds, 3):
        are = agreeing(len(names), "is", "are")
        raise UserError(
            f"{counted(len(names), 'site')} ({', '.join(names)}) {are} too few for {n_folds} folds of train, "
            "validation and test by whole sites: use fewer folds (--n_folds), or leave out --site_preserving"
        )
    # The order among equal sites is drawn here: with shuffle=True scikit-learn 1.7.2 deals out the counts of other
    # sites (on 400 items of 30 sites its test parts had 7 to 231 items, without it 89 to 122).
    group = np.random.default_rng(seed).permutation(len(names))[site]
    folds = []
    for rest, test in StratifiedGroupKFold(n_folds).split(labels, labels, group):
        train, val = _split_rest(labels[rest], group[rest], n_folds)
        folds.append(FoldIndices(rest[train], rest[val], test))
    return folds


def _split_rest(labels: np.ndarray, group: np.ndarray, n_folds: int) -> tuple[np.ndarray, np.ndarray]:
    """Train and validation positions among the items that are not test."""
    counts = np.bincount(labels)
    n_parts = min(n_folds, len(np.unique(group)), int(counts.max()))
    if n_parts < 2:
        raise UserError(
            f"a fold is left with too little for train and validation by whole sites (patients: {len(labels)}, sites: "
            f"{len(np.unique(group))}): use another --n_folds, or leave out --site_preserving"
        )
    with warnings.catch_warnings():
        # A stratum may have fewer items left than parts; what must be in train is checked on the finished folds.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        splits = list(StratifiedGroupKFold(n_parts).split(labels, labels, group))

    def unevenness(split: tuple[np.ndarray, np.ndarray]) -> float:
        """Distance to equal shares: sum over strata of | items in validation - items / n_parts |."""
        return float(np.abs(np.bincount(labels[split[1]], minlength=len(counts)) - counts / n_parts).sum())

    return min(splits, key=unevenness)
