"""`patches.csv`: what a model made of each patch of a slide, one row per patch in the order of the feature file.

| column | |
|---|---|
| `patch` | row in the feature file, from 0 |
| `x`, `y` | upper left corner in level-0 pixels; absent where the file has no coordinates |
| `attention` | the patch's share of its case's attention; all slides of the case and their remaining anchors sum to 1 |
| `percentile` | of the attention within the slide, 0 to 100 |
| `nearest_anchor`, `distance` | the anchor that is nearest in feature space, and the distance to it |
| `anchor_1 .. anchor_L` | the anchor that the patch chose in each stage |

Columns of anchors are absent for models that have none, or whose patches choose none.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from utils.explain.advice import ADVICE
from utils.files.csv_table import read_csv, write_csv

_REQUIRED = ("patch", "attention", "percentile")
_LARGEST = 2**53  # the largest integer of a float64 whose neighbours are integers too
_INTEGER = ("patch", "x", "y", "nearest_anchor")


def patch_table(
    attention: np.ndarray,
    *,
    coords: np.ndarray | None = None,
    nearest: np.ndarray | None = None,
    distance: np.ndarray | None = None,
    anchors: np.ndarray | None = None,
) -> pd.DataFrame:
    """The table of a slide's M patches.

    Args:
        attention: (M,), 0 or more.
        coords: (M, 2) integers, level-0 pixels.
        nearest: (M,) integers; with `distance` or not at all.
        distance: (M,), to the nearest anchor.
        anchors: (M, L) integers.

    Raises:
        ValueError: no patch, shapes that do not belong together, or attention that is negative or no number.
    """
    attention = np.asarray(attention)
    if attention.ndim != 1 or len(attention) == 0 or not (attention >= 0).all():
        raise ValueError(f"expected attention (M,) of 0 or more with at least one patch, got shape {attention.shape}")
    columns: dict[str, np.ndarray] = {"patch": np.arange(len(attention))}
    if coords is not None:
        columns |= {"x": coords[:, 0], "y": coords[:, 1]}
    columns |= {"attention": attention, "percentile": percentiles(attention)}
    if nearest is not None and distance is not None:
        columns |= {"nearest_anchor": nearest, "distance": distance}
    if anchors is not None:
        columns |= {f"anchor_{stage}": chosen for stage, chosen in enumerate(anchors.T, start=1)}
    lengths = {name: np.shape(column) for name, column in columns.items()}
    if set(lengths.values()) != {attention.shape}:
        raise ValueError(f"expected columns of shape {attention.shape}, got {lengths}")
    return pd.DataFrame(columns)


def percentiles(attention: np.ndarray) -> np.ndarray:
    """Percent of the slide's patches with less attention, and half of those with the same (itself too); (M,).

    >>> percentiles(np.array([0.1, 0.4, 0.1, 0.2])).tolist()
    [25.0, 87.5, 25.0, 62.5]
    """
    return 100 * (rankdata(attention) - 0.5) / len(attention)


def stages_of(table: pd.DataFrame) -> list[str]:
    """The columns `anchor_1 .. anchor_L`."""
    return [str(name) for name in table.columns if str(name).removeprefix("anchor_").isdigit()]


def write_patches(path: Path, table: pd.DataFrame) -> None:
    """Write a table of `patch_table` as CSV, atomically; floats as the shortest text that reads back as the same."""
    write_csv(path, table)


def read_patches(path: Path) -> pd.DataFrame:
    """Read and check `patches.csv`; indices and positions are int64, the rest float64.

    Raises:
        UserError: the file is missing or damaged, lacks a column, or a number is not as this module describes.
    """
    cells = read_csv(path, advice=ADVICE, required=_REQUIRED)
    table = cells.frame(text=())
    problem = _first_problem(table)
    if problem is not None:
        raise cells.error(problem)
    return table.astype(dict.fromkeys(_integers(table), np.int64))


def _integers(table: pd.DataFrame) -> list[str]:
    return [name for name in (*_INTEGER, *stages_of(table)) if name in table.columns]


def _first_problem(table: pd.DataFrame) -> str | None:
    if table.isna().any(axis=None):
        return "expected a number in every cell"
    if not np.array_equal(table["patch"], np.arange(len(table))):
        return f"column patch: expected 0 to {len(table) - 1} in order"
    whole = {
        name: (table[name] == np.floor(table[name])) & (table[name].abs() <= _LARGEST) for name in _integers(table)
    }
    broken = [name for name, good in whole.items() if not good.all()]
    if broken:
        return f"column {broken[0]}: expected whole numbers, none beyond {_LARGEST:.0g}"
    if not table["percentile"].between(0, 100).all() or (table["attention"] < 0).any():
        return "expected attention of 0 or more and percentiles from 0 to 100"
    return None
