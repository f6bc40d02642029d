"""The checkpoint of a fold, read as testing and prediction do."""

from __future__ import annotations

from pathlib import Path

import torch

from tests.fuzz.targets._models import DESIGNS, SCALES, weights
from utils.pipeline.models import load_model
from utils.training.checkpoint import load_checkpoint, save_checkpoint

SUFFIX = ".pt"


def seeds(folder: Path) -> list[Path]:
    for name, design in DESIGNS.items():
        state = {"architecture": design, "model": weights(name), "feature_norm": SCALES[name], "epoch": 3}
        save_checkpoint(folder / f"{name}.pt", state)
        torch.save(state, folder / f"{name}_legacy.pt", _use_new_zipfile_serialization=False)
    return sorted(folder.glob("*.pt"))


def read(path: Path) -> None:
    load_checkpoint(path)
    load_model(path)
