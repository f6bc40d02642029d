"""Mean pooling: the baseline that gives every patch the same say."""

from __future__ import annotations

from torch import Tensor, nn
from torch_geometric.utils import scatter

from models.kernels.segment_ops import Segments
from models.output import BagOutput, check_inputs


class MeanPool(nn.Module):
    """`logits = W mean_m(ReLU(Linear(h_m))) + b`: a projection of each patch, their mean, a linear head.

    Args:
        dim_in: D, the width of the patch features.
        n_outputs: C.
        embed_dim: d.
        dropout: rate after the projection.
    """

    def __init__(self, *, dim_in: int, n_outputs: int, embed_dim: int = 512, dropout: float = 0.05) -> None:
        super().__init__()
        self.dim_in = dim_in
        self.projector = nn.Sequential(nn.Linear(dim_in, embed_dim), nn.ReLU(), nn.Dropout(dropout))
        self.classifier = nn.Linear(embed_dim, n_outputs)

    def forward(
        self,
        features: Tensor,
        slide_index: Tensor,
        case_index: Tensor,
        anchors: Tensor | None = None,
        coords: Tensor | None = None,
    ) -> BagOutput:
        """Map a ragged batch to logits (see `models.output`); the attention is 1 / M. Anchors and positions are unused.

        Raises:
            ValueError: for shapes that do not belong together, or a case without patches.
        """
        check_inputs(features, slide_index, case_index, self.dim_in)
        cases = Segments.from_index(slide_index, case_index.numel()).by_case(case_index)
        patches = self.projector(features).to(features.dtype)  # (N, d); sums in half precision would stop growing
        pooled = scatter(patches, cases.index, dim=0, dim_size=cases.count, reduce="mean")  # (B, d)
        shares = 1 / features.new_tensor(cases.sizes)  # (B,)
        return BagOutput(self.classifier(pooled), shares[cases.index])
