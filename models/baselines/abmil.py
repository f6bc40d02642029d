"""ABMIL: attention-based multiple-instance learning, the gated form (Ilse, Tomczak and Welling, ICML 2018)."""

from __future__ import annotations

from torch import Tensor, nn

from models.attention_pool import GatedAttentionPool
from models.kernels.segment_ops import Segments
from models.output import BagOutput, check_inputs


class ABMIL(nn.Module):
    """`z = sum_m a_m h_m` with `a = softmax_m(w . (tanh(V h_m) * sigmoid(U h_m)))` (Eqs. 7 and 9), `logits = W z + b`.

    The MiCo paper calls it AMIL. Features of slides are projected to d first, as in CLAM, whose widths these are.

    Args:
        dim_in: D, the width of the patch features.
        n_outputs: C.
        embed_dim: d; the attention has d / 2.
        dropout: rate after the projection and of both attention branches.
    """

    def __init__(self, *, dim_in: int, n_outputs: int, embed_dim: int = 512, dropout: float = 0.05) -> None:
        super().__init__()
        self.dim_in = dim_in
        self.projector = nn.Sequential(nn.Linear(dim_in, embed_dim), nn.ReLU(), nn.Dropout(dropout))
        self.attention_pool = GatedAttentionPool(embed_dim, dropout, attention_dim=embed_dim // 2)
        self.classifier = nn.Linear(embed_dim, n_outputs)

    def forward(
        self,
        features: Tensor,
        slide_index: Tensor,
        case_index: Tensor,
        anchors: Tensor | None = None,
        coords: Tensor | None = None,
    ) -> BagOutput:
        """Map a ragged batch to logits (see `models.output`). Anchors and positions are unused.

        Raises:
            ValueError: for shapes that do not belong together, or a case without patches.
        """
        check_inputs(features, slide_index, case_index, self.dim_in)
        cases = Segments.from_index(slide_index, case_index.numel()).by_case(case_index)
        patches = self.projector(features)  # (N, d)
        pooled, attention = self.attention_pool(patches, cases.index, cases.count)  # (B, d), (N,)
        return BagOutput(self.classifier(pooled), attention)
