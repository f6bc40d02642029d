"""Optimizers of the training protocol."""

from __future__ import annotations

import torch
from torch import nn

from utils.training.radam import RAdam
from utils.training.ranger import Ranger


def build_optimizer(name: str, model: nn.Module, *, lr: float, weight_decay: float) -> torch.optim.Optimizer:
    """Build `ranger`, `radam` or `adamw` over the parameters of a model.

    Ranger is Lookahead over RAdam (Liu et al., ICLR 2020). Weight decay is decoupled from the gradient in all three,
    and acts on matrices only: biases, norms and other 1-d parameters have none.

    Raises:
        ValueError: for another name.
    """
    groups = [
        {"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in model.parameters() if p.dim() <= 1], "weight_decay": 0.0},
    ]
    if name == "adamw":
        return torch.optim.AdamW(groups, lr=lr, fused=True)
    if name == "radam":
        return RAdam(groups, lr=lr)
    if name == "ranger":
        return Ranger(groups, lr=lr)
    raise ValueError(f"got optimizer '{name}', expected one of: ranger, radam, adamw")
