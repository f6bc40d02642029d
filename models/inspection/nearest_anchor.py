"""The anchor that each patch is nearest to in the space of the features, where k-means put them.

It says which tissue an anchor stands for. The anchor that a patch *chooses* in a stage may be another one: MiCo
projects patches and anchors by layers of their own before it compares them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from models.kernels.row_blocks import BLOCK_ROWS, RowValues, blocks_of
from models.kernels.segment_ops import Segments
from models.kernels.similarity import l2_similarity


class NearestAnchors(NamedTuple):
    """The anchors that patches are nearest to.

    Attributes:
        anchor: (N,) int64, of each patch.
        distance: (N,) Euclidean, to it, float32 or wider.
        anchors: (K, D), or (n_slides, K, D), what was compared with.
    """

    anchor: Tensor
    distance: Tensor
    anchors: Tensor

    def anchors_of(self, slide: int) -> Tensor:
        """The anchors (K, D) of a slide."""
        return self.anchors if self.anchors.dim() == 2 else self.anchors[slide]


@torch.no_grad()
def nearest_anchors(
    features: Tensor,
    slide_index: Tensor,
    anchors: Tensor,
    *,
    scale: Callable[[Tensor], Tensor] | None = None,
    block_rows: int = BLOCK_ROWS,
) -> NearestAnchors:
    """`argmin_k || h_m - s_k ||_2` and its minimum, block by block.

    Args:
        features: (N, D), the patches of all slides, slide after slide.
        slide_index: (N,) int64, non-decreasing.
        anchors: (K, D), the same for every slide, or (n_slides, K, D).
        scale: maps rows of the features to what the anchors were fitted on; None leaves them as they are.
        block_rows: rows that are scaled and compared at a time.
    """
    n_slides = anchors.size(0) if anchors.dim() == 3 else int(slide_index[-1]) + 1
    chosen, distance = RowValues(len(features)), RowValues(len(features))
    for block in blocks_of(Segments.from_index(slide_index, n_slides, features.device), block_rows):
        rows = features[block.rows] if scale is None else scale(features[block.rows])
        nearest, index = l2_similarity(rows, block.own(anchors), block.slides).max(dim=1)
        chosen.put(block, index)
        distance.put(block, -nearest)
    return NearestAnchors(chosen.all(), distance.all(), anchors)
