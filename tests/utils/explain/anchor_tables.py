"""Test cases of a fold whose patches chose anchors, and their predictions."""

from __future__ import annotations

import numpy as np
import pandas as pd

from utils.explain.anchor_shares import AnchorShares
from utils.runs.predictions import classification_table, survival_table


def shares_of(counts: np.ndarray, attention: np.ndarray | None = None) -> pd.DataFrame:
    """Cases C0, C1, ... of slides S0, S1, ... with `counts` (n, K) patches at each anchor.

    `attention` (n, K) is shared alike by the patches of a case at an anchor; without it, patches have 0.8 together.
    """
    shares = AnchorShares(counts.shape[1])
    for case, row in enumerate(counts):
        chosen = np.repeat(np.arange(len(row)), row)
        each = np.full(len(chosen), 0.8 / len(chosen)) if attention is None else (attention[case] / row.clip(1))[chosen]
        shares.add(f"C{case}", [f"S{case}"], each, chosen)
    return shares.table()


def survival_of(time: np.ndarray, event: np.ndarray) -> pd.DataFrame:
    n = len(time)
    ids = [f"C{i}" for i in range(n)]
    slides = [[f"S{i}"] for i in range(n)]
    return survival_table(ids, slides, time, event, np.zeros(n), np.arange(n), np.full((n, 2), 0.5))


def classes_of_cases(label: np.ndarray, n_classes: int) -> pd.DataFrame:
    n = len(label)
    prob = np.full((n, n_classes), 1 / n_classes)
    return classification_table([f"C{i}" for i in range(n)], [[f"S{i}"] for i in range(n)], label, prob)


def random_counts(n_cases: int, n_anchors: int, seed: int, n_patches: int = 200) -> np.ndarray:
    """(n_cases, n_anchors) patches, from mixtures that differ between cases; a few anchors are rare."""
    rng = np.random.default_rng(seed)
    weight = rng.exponential(size=n_anchors) ** 2 + 0.01
    return np.stack([rng.multinomial(n_patches, rng.dirichlet(weight * 3)) for _ in range(n_cases)])
