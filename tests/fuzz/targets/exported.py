"""`model.json` of a model that was handed on."""

from __future__ import annotations

from pathlib import Path

import torch

from tests.fuzz.targets._models import DESIGNS, SCALES, weights
from utils.pipeline import load_ensemble
from utils.pipeline.exported import MODEL_RECORD, ExportedFold, write_exported

NAME = MODEL_RECORD
SUFFIX = ".json"


def export(folder: Path, name: str) -> None:
    """A model of two folds."""
    record = {"task": "surv", "dataset": "toy", "model": name, "formulation": "none", "dim_in": 4, "n_outputs": 2}
    fold = ExportedFold(
        DESIGNS[name],
        weights(name),
        SCALES[name],
        3,
        -1.25,
        None,
        (12.5,),
        frozenset({"ab"}),
        frozenset({"cd"}),
        Path(),
    )
    write_exported(folder, {**record, "settings": {"batch_size": 1}, "anchor_scope": "dataset"}, {0: fold, 1: fold})


def seeds(folder: Path) -> list[Path]:
    export(folder, "mico")
    return [folder / NAME]


def read(path: Path) -> None:
    if not (path.parent / "trained_on.json").exists():
        record = path.read_bytes()
        export(path.parent, "mico")
        path.write_bytes(record)
    ensemble = load_ensemble(path.parent)
    ensemble([torch.zeros(5, 4)])
