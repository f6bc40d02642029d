"""What targets of trained models share: small ones of two kinds."""

from __future__ import annotations

from typing import Any

import torch

from models import build_model

DESIGNS: dict[str, dict[str, Any]] = {
    "mico": {"name": "mico", "dim_in": 4, "n_outputs": 2, "embed_dim": 8, "n_anchors": 8},
    "abmil": {"name": "abmil", "dim_in": 4, "n_outputs": 2, "embed_dim": 8},
}
SCALES: dict[str, dict[str, Any]] = {
    "mico": {"kind": "zscore", "mean": [0.0, 0.5, 1.0, 2.0], "std": [1.0, 2.0, 3.0, 0.5]},
    "abmil": {"kind": "none"},
}


with torch.device("meta"):  # torch imports a third of itself for the first of these, which no input should pay for
    torch.randn(1)


def weights(name: str) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return dict(build_model(**DESIGNS[name]).state_dict())
