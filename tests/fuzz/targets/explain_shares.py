"""The shares of the anchors in the cases of a fold, `anchor_shares.csv`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from utils.explain.anchor_shares import AnchorShares, read_anchor_shares, write_anchor_shares

SUFFIX = ".csv"


def seeds(folder: Path) -> list[Path]:
    shares = AnchorShares(3)
    shares.add("P1", ["s1", "s2"], np.array([0.1, 0.3, 0.05, 0.2]), np.array([1, 0, 1, 2]))
    shares.add("001", ["s3"], np.array([0.5, 0.25]), np.array([2, 2]))
    write_anchor_shares(folder / "shares.csv", shares.table())
    return [folder / "shares.csv"]


def read(path: Path) -> None:
    read_anchor_shares(path)
