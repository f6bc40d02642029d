"""ABMIL: attention-based multiple-instance learning, the gated form (Ilse, Tomczak and Welling, ICML 2018)."""

from __future__ import annotations

from torch import nn

from models.attention_pool import GatedAttentionPool
from models.bag_model import BagInput, BagModel
from models.output import BagOutput


class ABMIL(BagModel):
    """`z = sum_m a_m h_m` with `a = softmax_m(w . (tanh(V h_m) * sigmoid(U h_m)))` (Eqs. 7 and 9), `logits = W z + b`.

    The MiCo paper calls it AMIL. Features of slides are projected to d first, as in CLAM, whose widths these are.

    Args:
        dim_in: D, the width of the patch features.
        n_outputs: C.
        embed_dim: d; the attention has d / 2.
        dropout: rate after the projection and of both attention branches.
    """

    def __init__(self, *, dim_in: int, n_outputs: int, embed_dim: int = 512, dropout: float = 0.05) -> None:
        super().__init__(dim_in)
        self.projector = nn.Sequential(nn.Linear(dim_in, embed_dim), nn.ReLU(), nn.Dropout(dropout))
        self.attention_pool = GatedAttentionPool(embed_dim, dropout, attention_dim=embed_dim // 2)
        self.classifier = nn.Linear(embed_dim, n_outputs)

    def aggregate(self, bags: BagInput) -> BagOutput:
        """Map bags to logits. Anchors and positions are unused."""
        cases = bags.cases
        patches = self.projector(bags.features())  # (N, d)
        pooled, attention = self.attention_pool(patches, cases.index, cases.count)  # (B, d), (N,)
        return BagOutput(self.classifier(pooled), attention)
