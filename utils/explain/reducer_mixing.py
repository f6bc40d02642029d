"""How the Cluster Reducers of a fold mix the anchors: `fold{k}/explain/reducer_mixing.json`.

It holds `stages`, a matrix (K_l / 2, K_l) for each, and `overall`, the matrix (K / 2^L, K) of all stages together.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from utils.errors import UserError
from utils.explain.advice import ADVICE
from utils.files.atomic import write_json
from utils.files.json_object import read_json_object

REDUCER_MIXING = "reducer_mixing.json"


def check_mixing(mixing: Mapping[str, Any], n_anchors: int) -> None:
    """Check the matrices of a model with K = `n_anchors`.

    Raises:
        ValueError: their shapes are not as above, or a number is not finite.
    """
    stages = [np.shape(stage) for stage in mixing["stages"]]
    expected = [(n_anchors // 2 ** (stage + 1), n_anchors // 2**stage) for stage in range(len(stages))]
    if not stages or stages != expected:
        raise ValueError(f"mixing: expected stages that halve {n_anchors} anchors, got matrices of shapes {stages}")
    overall = (stages[-1][0], n_anchors)
    if np.shape(mixing["overall"]) != overall:
        raise ValueError(f"mixing: expected overall of shape {overall}, got {np.shape(mixing['overall'])}")
    if not all(np.isfinite(np.array(matrix)).all() for matrix in (*mixing["stages"], mixing["overall"])):
        raise ValueError("mixing: expected finite numbers")


def write_mixing(path: Path, mixing: Mapping[str, Any]) -> None:
    """Write `reducer_mixing.json`, atomically, from matrices that `check_mixing` passes."""
    write_json(path, {"stages": mixing["stages"], "overall": mixing["overall"]})


def read_mixing(path: Path) -> dict[str, Any] | None:
    """Read `reducer_mixing.json`, of which readers need `overall`; None where the file is not there.

    Raises:
        UserError: the file is damaged, or `overall` is no matrix of finite numbers.
    """
    if not path.exists():
        return None
    mixing = read_json_object(path, advice=ADVICE)
    if not _is_matrix(mixing.get("overall")):
        raise UserError(f"{path}: overall is no matrix of finite numbers with rows of one length; {ADVICE}.")
    return mixing


def _is_matrix(value: object) -> bool:
    rows = value if isinstance(value, list) else []
    lengths = {len(row) if isinstance(row, list) else 0 for row in rows}
    return len(lengths) == 1 and 0 not in lengths and all(_is_finite(entry) for row in rows for entry in row)


def _is_finite(entry: object) -> bool:
    # JSON knows NaN, infinity and integers beyond float64 here; a bool would pass for an integer.
    return isinstance(entry, (int, float)) and not isinstance(entry, bool) and abs(entry) <= sys.float_info.max
