"""The record beside anchors: how they were made, and the scale of the features."""

from __future__ import annotations

from pathlib import Path

import torch

from utils.anchors.anchor_files import write_anchors, write_provenance
from utils.anchors.feature_norm import FeatureNorm
from utils.anchors.fold_anchors import load_fold_anchors

NAME = "toy_C_4_init.json"
SUFFIX = ".json"
_SLIDES = {"train": ["a", "b"], "val": ["c"], "test": ["d"]}
_PRINTS = {"a": "0123456789abcdef", "b": "0123456789abcdff"}


def seeds(folder: Path) -> list[Path]:
    norms = {
        "none": FeatureNorm(),
        "l2": FeatureNorm("l2"),
        "zscore": FeatureNorm("zscore", torch.tensor([0.5, 1 / 3]), torch.tensor([1.0, 2.0])),
    }
    for name, norm in norms.items():
        record = {"seed": 1234, "n_clusters": 4, "slides": ["a", "b"], "features": _PRINTS}
        write_provenance(folder / f"{name}.pt", record, norm)
    return sorted(folder.glob("*.json"))


def read(path: Path) -> None:
    anchors = path.with_suffix(".pt")
    if not anchors.exists():
        write_anchors(anchors, torch.zeros(4, 2).numpy())
    load_fold_anchors(str(anchors), 0, _SLIDES, _PRINTS, n_clusters=4, dim_in=2)
