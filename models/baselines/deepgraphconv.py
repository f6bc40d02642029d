"""DeepGraphConv: graph isomorphism layers over neighbouring patches.

Li et al., "Graph CNN for survival analysis on whole slide pathological images", MICCAI 2018, in the form that Chen et
al. (Patch-GCN, MICCAI 2021) compared with.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import GINConv

from models.attention_pool import GatedAttentionPool
from models.baselines.patch_graph import check_graph, graph_positions, neighbour_edges
from models.kernels.segment_ops import Segments
from models.output import BagOutput, check_inputs


class DeepGraphConv(nn.Module):
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
        self, *, dim_in: int, n_outputs: int, embed_dim: int = 512, dropout: float = 0.05, graph: str = "coords"
    ) -> None:
        super().__init__()
        check_graph(graph)
        if embed_dim % 2:
            raise ValueError(f"got embed_dim {embed_dim}, expected a multiple of 2 (the layers have half of it)")
        self.dim_in = dim_in
        self.graph = graph
        width = embed_dim // 2
        self.layers = nn.ModuleList(_convolution(dim, width) for dim in (dim_in, width, width))
        self.attention_pool = GatedAttentionPool(width, dropout)
        self.case_transform = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout))
        self.classifier = nn.Linear(width, n_outputs)

    def forward(
        self,
        features: Tensor,
        slide_index: Tensor,
        case_index: Tensor,
        anchors: Tensor | None = None,
        coords: Tensor | None = None,
    ) -> BagOutput:
        """Map a ragged batch to logits (see `models.output`). Anchors are unused.

        The graph lies within each slide; the attention is the softmax a over the patches of each case.

        Raises:
            ValueError: for shapes that do not belong together, a case without patches, or missing coords.
        """
        check_inputs(features, slide_index, case_index, self.dim_in)
        slides = Segments.from_index(slide_index, case_index.numel())
        cases = slides.by_case(case_index)
        edges = neighbour_edges(graph_positions(self.graph, features, coords), slides)  # (2, E)
        x = features
        for layer in self.layers:
            x = x.to(torch.promote_types(x.dtype, torch.float32))  # sums over neighbours are not for 16 bits
            x = F.relu(layer(x, edges))  # (N, h)
        pooled, attention = self.attention_pool(x, cases.index, cases.count)  # (B, h), (N,)
        return BagOutput(self.classifier(self.case_transform(pooled)), attention)


def _convolution(dim_in: int, width: int) -> GINConv:
    return GINConv(nn.Sequential(nn.Linear(dim_in, width), nn.ReLU(), nn.Linear(width, width)))
