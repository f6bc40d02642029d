"""Cluster Reducer: halves the anchors by mixing them (Eq. 5)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class ClusterReducer(nn.Module):
    """`anchors' = Reducer_l(s~)` (Eq. 5): on the transposed anchors Linear(K, K), ReLU, Linear(K, K / 2).

    It mixes anchors and leaves the d features apart; there is no dropout in it.
    """

    def __init__(self, n_anchors: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(n_anchors, n_anchors)
        self.fc2 = nn.Linear(n_anchors, n_anchors // 2)

    def forward(self, anchors: Tensor) -> Tensor:
        """Map (..., K, d) to (..., K / 2, d)."""
        mixed = self.fc2(F.relu(self.fc1(anchors.transpose(-1, -2))))  # (..., d, K / 2)
        return mixed.transpose(-1, -2)  # (..., K / 2, d)
