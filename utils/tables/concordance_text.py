"""The C-index over the pairs of all folds, which stands beside the mean of the folds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from utils.files.phrases import counted


def concordance_within_folds(summary: Mapping[str, Any]) -> str:
    """The C-index over the pairs of all folds in a sentence; empty in classification, and for a single fold."""
    within = summary.get("c_index_within_folds")
    if within is None or len(summary["folds"]) < 2:
        return ""
    if within["c_index"] is None:
        return f"C-index over the pairs of all folds undefined: {within['reason']}."
    mean = summary["mean"]["c_index"]
    return (
        f"C-index over the pairs of all folds, each patient compared within the fold only: {within['c_index']:.3f} "
        f"({within['n_pairs']} comparable pairs in {counted(len(within['folds']), 'fold')}); the mean of the folds is "
        f"{mean:.3f}. The mean gives each fold the same weight, this one each pair."
    )
