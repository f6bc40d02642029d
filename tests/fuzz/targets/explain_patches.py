"""The table of an explained slide, `patches.csv`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from utils.explain.patch_table import patch_table, read_patches, write_patches

SUFFIX = ".csv"
ATTENTION = np.array([0.1, 0.3, 0.05, 0.2])


def seeds(folder: Path) -> list[Path]:
    coords, nearest = np.array([[0, 0], [448, 0], [0, 448], [448, 448]]), np.array([1, 0, 1, 2])
    whole = patch_table(
        ATTENTION, coords=coords, nearest=nearest, distance=ATTENTION, anchors=np.stack([nearest, nearest], axis=1)
    )
    tables = {"whole.csv": whole, "plain.csv": patch_table(ATTENTION)}
    for name, table in tables.items():
        write_patches(folder / name, table)
    return [folder / name for name in tables]


def read(path: Path) -> None:
    read_patches(path)
