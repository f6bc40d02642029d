"""DeepGraphConv: graph isomorphism layers over neighbouring patches.

Li et al., "Graph CNN for survival analysis on whole slide pathological images", MICCAI 2018, in the form that Chen et
al. (Patch-GCN, MICCAI 2021) compared with.
"""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import nn
from torch_geometric.nn import GINConv

from models.attention_pool import GatedAttentionPool
from models.bag_model import BagInput, BagModel
from models.baselines.patch_graph import neighbour_edges
from models.kernels.similarity import wide
from models.output import BagOutput


class DeepGraphConv(BagModel):
    """Three graph isomorphism layers and gated attention pooling; h = d / 2.

    `x_m^l = ReLU(MLP_l((1 + eps) x_m^{l-1} + sum_j x_j^{l-1}))` for l = 1, 2, 3, eps = 0, with x^0 the features
    `z = sum_m a_m x_m^3` with the attention a of `GatedAttentionPool`, `logits = W_2 ReLU(W_1 z + b_1) + b_2`

    over the neighbours j of m (`models.baselines.patch_graph`). MLP_l is Linear(D or h, h), ReLU, Linear(h, h).

    Deviation: the comparison's graph joined patches with similar features. Here that is `graph="features"`, and the
    default is by position as in Patch-GCN, so that the two models see the same graph.

    Args:
        dim_in: D, the width of the patch features.
        n_outputs: C.
        embed_dim: d, divisible by 2.
        dropout: rate after the ReLU of W_1 and of both attention branches.
        graph: `coords`: neighbours by position; or `features`, the comparison's: by the features of the patches.

    Raises:
        ValueError: for an embed_dim that 2 does not divide, or an unknown graph.
    """

    def __init__(
        self,
        *,
        dim_in: int,
        n_outputs: int,
        embed_dim: int = 512,
        dropout: float = 0.05,
        graph: Literal["coords", "features"] = "coords",
    ) -> None:
        super().__init__(dim_in, needs_coords=graph == "coords")
        self.check_choices(graph=graph)
        if embed_dim % 2:
            raise ValueError(f"got embed_dim {embed_dim}, expected a multiple of 2 (the layers have half of it)")
        width = embed_dim // 2
        self.layers = nn.ModuleList(_convolution(dim, width) for dim in (dim_in, width, width))
        self.attention_pool = GatedAttentionPool(width, dropout)
        self.case_transform = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout))
        self.classifier = nn.Linear(width, n_outputs)

    def aggregate(self, bags: BagInput) -> BagOutput:
        """Map bags to logits. Anchors are unused.

        The graph lies within each slide; the attention is the softmax a over the patches of each case.
        """
        cases = bags.cases
        features = bags.features()  # (N, D)
        positions = bags.coords if self.needs_coords and bags.coords is not None else features
        edges = neighbour_edges(positions, bags.slides)  # (2, E)
        x = features
        for layer in self.layers:
            x = wide(x)  # sums over neighbours are not for 16 bits
            x = F.relu(layer(x, edges))  # (N, h)
        pooled, attention = self.attention_pool(x, cases.index, cases.count)  # (B, h), (N,)
        return BagOutput(self.classifier(self.case_transform(pooled)), attention)


def _convolution(dim_in: int, width: int) -> GINConv:
    return GINConv(nn.Sequential(nn.Linear(dim_in, width), nn.ReLU(), nn.Linear(width, width)))
