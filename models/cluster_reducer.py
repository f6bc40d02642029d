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


def remaining_anchors(anchors: Tensor, case_index: Tensor) -> tuple[Tensor, Tensor]:
    """The anchors that the last stage leaves, as rows to be pooled: each slide brings its own copy of them.

    Args:
        anchors: (R, d), the same for every slide, or (n_slides, R, d).
        case_index: (n_slides,) int64, the case of each slide.

    Returns:
        (n_slides R, d), and the case of each row, (n_slides R,).
    """
    rows = anchors.expand(len(case_index), -1, -1).flatten(0, 1)  # (n_slides R, d)
    return rows, case_index.repeat_interleave(anchors.size(-2))
