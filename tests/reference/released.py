"""MiCo with the weights of the released code, from a file of its vectors (`tests/data/released_*.npz`)."""

from __future__ import annotations

import json
from typing import Any

import torch

from models import build_model
from models.bag_model import BagModel


def released_model(arrays: Any, *, prefix: str = "") -> BagModel:
    """The model of an open file, in evaluation mode; `prefix` stands before the names of its parameters."""
    config = json.loads(str(arrays["config"]))
    model: Any = build_model(
        "mico",
        dim_in=config["dim_in"],
        n_outputs=config["n_classes"],
        n_anchors=config["n_anchors"],
        embed_dim=config["embed_dim"],
        n_stages=config["n_stages"],
        similarity=config["similarity"],
        assignment="hard" if config["hard"] else "soft",
    )
    parameters = {name.removeprefix("param/"): arrays[name] for name in arrays.files if name.startswith("param/")}
    model.load_released_state_dict({prefix + name: torch.from_numpy(value) for name, value in parameters.items()})
    built: BagModel = model.eval()
    return built
