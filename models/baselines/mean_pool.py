"""Mean pooling: the baseline that gives every patch the same say."""

from __future__ import annotations

from torch import nn
from torch_geometric.utils import scatter

from models.bag_model import BagInput, BagModel
from models.kernels.similarity import wide
from models.output import BagOutput


class MeanPool(BagModel):
    """`logits = W mean_m(ReLU(Linear(h_m))) + b`: a projection of each patch, their mean, a linear head.

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
        """Map bags to logits; the attention is 1 / M. Anchors and positions are unused."""
        cases = bags.cases
        patches = wide(self.projector(bags.features()))  # (N, d); sums in half precision would stop growing
        pooled = scatter(patches, cases.index, dim=0, dim_size=cases.count, reduce="mean")  # (B, d)
        shares = 1 / cases.counts.to(pooled.dtype)  # (B,)
        return BagOutput(self.classifier(pooled), shares[cases.index])
