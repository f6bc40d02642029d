"""Patch-GCN: graph convolutions over neighbouring patches.

Chen et al., "Whole slide images are 2D point clouds: context-aware survival prediction using patch-based graph
convolutional networks", MICCAI 2021.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn
from torch_geometric.nn import DeepGCNLayer, GENConv

from models.attention_pool import GatedAttentionPool
from models.bag_model import BagInput, BagModel
from models.baselines.patch_graph import neighbour_edges
from models.kernels.similarity import wide
from models.output import BagOutput


class PatchGCN(BagModel):
    """Three graph convolutions with dense connections, and gated attention pooling; h = d / 4.

    `x_m^0 = ReLU(W_1 x_m + b_1)`, h wide
    `x_m^1 = GENConv_1(x^0)_m`
    `x_m^l = x_m^{l-1} + ReLU(LayerNorm_l(GENConv_l(x^{l-1})_m))` for l = 2, 3
    `p_m = ReLU(W_2 [x_m^0; x_m^1; x_m^2; x_m^3] + b_2)`, d wide
    `z = sum_m a_m p_m` with the attention a of `GatedAttentionPool`, `logits = W_4 ReLU(W_3 z + b_3) + b_4`

    with, over the neighbours j of m (`models.baselines.patch_graph`) and for each feature by itself (Li et al.,
    "DeeperGCN: all you need to train deeper GCNs", 2020),

    `GENConv(x)_m = MLP(x_m + sum_j s_j message_j)`, `message_j = ReLU(x_j) + 1e-7`, `s = softmax_j(t message_j)`

    and one trained number t for each layer, 1 at the start. A patch without neighbours has the sum 0. MLP is
    Linear(h, 2h), LayerNorm, ReLU, Linear(2h, h). Its linear layers have biases, as in the release of
    torch-geometric of the paper's time (1.6.3); today's has none unless told.

    Args:
        dim_in: D, the width of the patch features.
        n_outputs: C.
        embed_dim: d, divisible by 4.
        dropout: rate after the ReLU of W_1, W_2 and W_3, after the sums of l = 2, 3, and of both attention branches.
        graph: neighbours of a patch; `coords`, the paper's, by position, or `features`, by the features of the patches.

    Raises:
        ValueError: for an embed_dim that 4 does not divide, or an unknown graph.
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
        if embed_dim % 4:
            raise ValueError(f"got embed_dim {embed_dim}, expected a multiple of 4 (each of 4 levels has a quarter)")
        width = embed_dim // 4
        self.projector = nn.Sequential(nn.Linear(dim_in, width), nn.ReLU(), nn.Dropout(dropout))
        self.layers = nn.ModuleList([_convolution(width), _residual(width, dropout), _residual(width, dropout)])
        self.patch_transform = nn.Sequential(nn.Linear(embed_dim, embed_dim), nn.ReLU(), nn.Dropout(dropout))
        self.attention_pool = GatedAttentionPool(embed_dim, dropout)
        self.case_transform = nn.Sequential(nn.Linear(embed_dim, embed_dim), nn.ReLU(), nn.Dropout(dropout))
        self.classifier = nn.Linear(embed_dim, n_outputs)

    def aggregate(self, bags: BagInput) -> BagOutput:
        """Map bags to logits. Anchors are unused.

        The graph lies within each slide; the attention is the softmax a over the patches of each case.
        """
        cases = bags.cases
        features = bags.features()  # (N, D)
        positions = bags.coords if self.needs_coords and bags.coords is not None else features
        edges = neighbour_edges(positions, bags.slides)  # (2, E)
        x = self.projector(features)  # (N, h)
        levels = [x]
        for layer in self.layers:
            x = wide(x)  # sums over neighbours are not for 16 bits
            x = layer(x, edges)  # (N, h)
            levels.append(x)
        patches = self.patch_transform(torch.cat(levels, dim=1))  # (N, d)
        pooled, attention = self.attention_pool(patches, cases.index, cases.count)  # (B, d), (N,)
        return BagOutput(self.classifier(self.case_transform(pooled)), attention)


def _convolution(width: int) -> GENConv:
    return GENConv(width, width, aggr="softmax", t=1.0, learn_t=True, num_layers=2, norm="layer", bias=True)


def _residual(width: int, dropout: float) -> DeepGCNLayer:
    return DeepGCNLayer(_convolution(width), nn.LayerNorm(width), nn.ReLU(), block="res", dropout=dropout)
