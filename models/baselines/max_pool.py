"""Max pooling: the baseline in which one patch decides each feature."""

from __future__ import annotations

import torch
from torch import nn

from models.bag_model import BagInput, BagModel
from models.output import BagOutput


class MaxPool(BagModel):
    """`logits = W max_m(ReLU(Linear(h_m))) + b`: a projection of each patch, their maximum per feature, a linear head.

    Args:
        dim_in: D, the width of the patch features.
        n_outputs: C.
        embed_dim: d.
        dropout: rate after the projection.
    """

    def __init__(self, *, dim_in: int, n_outputs: int, embed_dim: int = 512, dropout: float = 0.05) -> None:
        super().__init__(dim_in)
        self.projector = nn.Sequential(nn.Linear(dim_in, embed_dim), nn.ReLU(), nn.Dropout(dropout))
        self.classifier = nn.Linear(embed_dim, n_outputs)

    def aggregate(self, bags: BagInput) -> BagOutput:
        """Map bags to logits. Anchors and positions are unused.

        The attention of a patch is the share of the d features whose maximum it is (the first of equal ones).
        """
        cases = bags.cases
        patches = self.projector(bags.features())  # (N, d)
        largest = [rows.max(dim=0) for rows in patches.split(cases.sizes)]
        logits = self.classifier(torch.stack([rows.values for rows in largest]))  # (B, C)
        chosen = torch.cat([start + rows.indices for start, rows in zip(cases.starts, largest, strict=True)])  # (B d,)
        shares = torch.zeros(len(patches), dtype=self.dtype, device=patches.device)
        shares.index_add_(0, chosen, shares.new_ones(1).expand(len(chosen)))  # (N,)
        return BagOutput(logits, shares / patches.size(1))
