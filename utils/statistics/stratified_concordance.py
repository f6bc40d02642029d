"""Harrell's C of a cross-validated cohort: the pairs of all folds, each within its fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from utils.statistics.delete_one import pairs_of_cases
from utils.statistics.survival_stats import UndefinedMetricError


@dataclass(frozen=True)
class StratifiedConcordance:
    """`value` over `n_pairs` comparable pairs of the folds `folds`, those that have any."""

    value: float
    n_pairs: int
    folds: tuple[int, ...]


def stratified_concordance(tables: Mapping[int, pd.DataFrame]) -> StratifiedConcordance:
    """`C = sum_k concordant_k / sum_k comparable_k` over the folds k.

    Patients are compared within a fold only, since the risks of the folds' models have no common scale. It is the mean
    of the folds' C with their comparable pairs as weights (the plain mean gives a fold with few deaths as much weight
    as any other), and what R's `survival::concordance` gives with `strata(fold)`. Ties as in
    `utils.statistics.survival_stats.concordance`.

    Args:
        tables: {fold: its test cases, with the columns `time, event, risk`}.

    Raises:
        UndefinedMetricError: no fold has a comparable pair.
    """
    concordant, n_pairs, folds = 0.0, 0.0, []
    for fold, table in tables.items():
        event, time, risk = (table[name].to_numpy() for name in ("event", "time", "risk"))
        of_fold, pairs = (float(of_cases.sum()) / 2 for of_cases in pairs_of_cases(event, time, risk))
        concordant, n_pairs = concordant + of_fold, n_pairs + pairs
        if pairs:
            folds.append(fold)
    if not folds:
        raise UndefinedMetricError("no comparable pair in any fold")
    return StratifiedConcordance(concordant / n_pairs, int(n_pairs), tuple(folds))
