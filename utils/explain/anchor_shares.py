"""`anchor_shares.csv`: how the patches of each test case, and their attention, spread over the anchors.

One row per row of the fold's predictions (a case; in classification that is a slide unless patients are classified),
with the columns `case_id, slide_ids` (joined by `;`), `n_patches`, and for each of the K anchors of the model
- `share_k`: the fraction of the case's patches that are nearest to anchor k in feature space; all shares sum to 1;
- `attention_k`: the sum of the attention of these patches. Attention is a patch's share of its case's attention, of
  which the remaining anchors have the rest: the sum over k is at most 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from utils.explain.advice import ADVICE
from utils.files.csv_table import read_csv, write_csv

TOLERANCE = 1e-3  # attention may come from 16-bit arithmetic
MOST_PATCHES = 2**53  # the largest integer of a float64 whose neighbours are integers too
_TEXT = ("case_id", "slide_ids")


class AnchorShares:
    """Collects the rows of `anchor_shares.csv`, case by case.

    Args:
        n_anchors: K, the anchors of the model.
    """

    def __init__(self, n_anchors: int) -> None:
        if n_anchors < 1:
            raise ValueError(f"n_anchors: expected at least 1, got {n_anchors}")
        self.n_anchors = n_anchors
        self._rows: list[dict[str, object]] = []

    def add(self, case_id: str, slide_ids: Sequence[str], attention: np.ndarray, nearest: np.ndarray) -> None:
        """Take up a case.

        Args:
            case_id: the case, as in the predictions.
            slide_ids: its slides, as in the predictions.
            attention: (N,) each patch's share of the case's attention, over the patches of all its slides.
            nearest: (N,) integers 0..K-1, the anchor that each patch is nearest to.

        Raises:
            ValueError: no patch, shapes that differ, an anchor that is none, or attention that is no share.
        """
        attention, nearest = np.asarray(attention, dtype=np.float64), np.asarray(nearest)
        if attention.ndim != 1 or attention.shape != nearest.shape or len(attention) == 0:
            shapes = f"{attention.shape} and {nearest.shape}"
            raise ValueError(f"{case_id}: expected attention and anchors of one shape (N,), got {shapes}")
        if nearest.dtype.kind not in "iu" or nearest.min() < 0 or nearest.max() >= self.n_anchors:
            raise ValueError(f"{case_id}: expected anchors from 0 to {self.n_anchors - 1} as integers")
        total = attention.sum()
        if not (np.isfinite(total) and (attention >= 0).all() and total <= 1 + TOLERANCE):
            raise ValueError(
                f"{case_id}: expected attention of 0 or more with a sum of at most 1, got a sum of {total}"
            )
        counts = np.bincount(nearest, minlength=self.n_anchors)
        sums = np.bincount(nearest, weights=attention, minlength=self.n_anchors)
        row: dict[str, object] = {"case_id": case_id, "slide_ids": ";".join(slide_ids), "n_patches": len(attention)}
        row |= {f"share_{k}": count / len(attention) for k, count in enumerate(counts)}
        self._rows.append(row | {f"attention_{k}": part for k, part in enumerate(sums)})

    def table(self) -> pd.DataFrame:
        """The table of all cases so far, in the order in which they came.

        Raises:
            ValueError: no case, or slides that two cases have.
        """
        table = pd.DataFrame(self._rows)
        _check(table)
        return table


def n_anchors_of(shares: pd.DataFrame) -> int:
    """K, from the columns `share_0 .. share_{K-1}`."""
    return sum(str(name).startswith("share_") for name in shares.columns)


def share_matrix(shares: pd.DataFrame) -> np.ndarray:
    """(n, K) `share_k` of each row."""
    return shares[[f"share_{k}" for k in range(n_anchors_of(shares))]].to_numpy(dtype=np.float64)


def attention_matrix(shares: pd.DataFrame) -> np.ndarray:
    """(n, K) `attention_k` of each row."""
    return shares[[f"attention_{k}" for k in range(n_anchors_of(shares))]].to_numpy(dtype=np.float64)


def write_anchor_shares(path: Path, shares: pd.DataFrame) -> None:
    """Write a table of this module as CSV, atomically.

    Raises:
        ValueError: a value of the table is not as this module describes.
    """
    _check(shares)
    write_csv(path, shares)


def read_anchor_shares(path: Path) -> pd.DataFrame:
    """Read and check `anchor_shares.csv`; ids are text, `n_patches` int64, the rest float64.

    Raises:
        UserError: the file is missing or unreadable, lacks a column, or holds a value that is not as this module
            describes.
    """
    cells = read_csv(path, advice=ADVICE, required=(*_TEXT, "n_patches", "share_0", "attention_0"))
    table = cells.frame(text=_TEXT)
    problem = _first_problem(table)
    if problem is not None:
        raise cells.error(problem)
    return table.astype({"n_patches": np.int64})


def _check(shares: pd.DataFrame) -> None:
    problem = _first_problem(shares) if len(shares) else "no case"
    if problem is not None:
        raise ValueError(f"anchor shares: {problem}")


def _first_problem(shares: pd.DataFrame) -> str | None:
    k = n_anchors_of(shares)
    expected = [*_TEXT, "n_patches", *(f"{name}_{index}" for name in ("share", "attention") for index in range(k))]
    if list(shares.columns) != expected:
        return f"expected the columns {', '.join(_TEXT)}, n_patches, share_0 .. share_{k - 1} and as many attention_k"
    for name, good, wanted in _rules(shares):
        if not good.all():
            row = int(np.argmin(good))
            return f"{name}, line {row + 2} (slides {shares['slide_ids'].iloc[row]}): expected {wanted}"
    return None


def _rules(shares: pd.DataFrame) -> Iterator[tuple[str, np.ndarray, str]]:
    """What is looked at, (n,) whether each row is good, and what is expected."""
    for name in _TEXT:
        yield name, np.array([isinstance(text, str) and text != "" for text in shares[name]]), "a text"
    yield "slide_ids", ~shares["slide_ids"].duplicated().to_numpy(), "slides that no line above has"
    n_patches = shares["n_patches"].to_numpy(dtype=np.float64)
    is_count = (n_patches >= 1) & (n_patches <= MOST_PATCHES) & (n_patches == np.floor(n_patches))
    yield "n_patches", is_count, "an integer, 1 or more"
    share, attention = share_matrix(shares), attention_matrix(shares)
    yield "share_k", np.asarray(((share >= 0) & (share <= 1)).all(axis=1)), "fractions of n_patches"
    counts = share * n_patches[:, None]
    whole = (np.abs(counts - np.round(counts)) <= TOLERANCE).all(axis=1)
    yield "share_k", np.asarray(whole), "fractions of n_patches"
    yield "share_k", np.isclose(share.sum(axis=1), 1, rtol=0, atol=1e-9), "a sum of 1"
    yield "attention_k", np.asarray(((attention >= 0) & (attention <= 1 + TOLERANCE)).all(axis=1)), "0 to 1"
    yield "attention_k", np.asarray(attention.sum(axis=1) <= 1 + TOLERANCE), "a sum of at most 1"
