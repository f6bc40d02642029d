"""Gated attention pooling over ragged cases (Ilse, Tomczak and Welling, ICML 2018, Eq. 9)."""

from __future__ import annotations

from torch import Tensor, nn
from torch_geometric.utils import scatter, softmax


class GatedAttentionPool(nn.Module):
    """`score = w . (tanh(V z) * sigmoid(U z))`, a softmax of the scores over each case, and the weighted sum of z.

    V and U are Linear(d, a) with dropout after the non-linearity; w is Linear(a, 1). The width a is d unless given.
    """

    def __init__(self, embed_dim: int, dropout: float, attention_dim: int | None = None) -> None:
        super().__init__()
        width = attention_dim or embed_dim
        self.feature_transform = nn.Sequential(nn.Linear(embed_dim, width), nn.Tanh(), nn.Dropout(dropout))
        self.attention_gate = nn.Sequential(nn.Linear(embed_dim, width), nn.Sigmoid(), nn.Dropout(dropout))
        self.attention_scorer = nn.Linear(width, 1)

    def forward(self, z: Tensor, case_of_row: Tensor, n_cases: int) -> tuple[Tensor, Tensor]:
        """Pool the rows of each case.

        Args:
            z: (R, d), the rows of all cases, in any order.
            case_of_row: (R,) int64.
            n_cases: B.

        Returns:
            The pooled rows (B, d) and the attention (R,), which sums to 1 over each case; float32 or wider, because
            a sum over 100,000 rows in half precision is no sum.
        """
        score = self.attention_scorer(self.feature_transform(z) * self.attention_gate(z)).squeeze(1)  # (R,)
        attention = softmax(_at_least_float32(score), case_of_row, num_nodes=n_cases)
        weighted = attention.unsqueeze(1) * z  # (R, d)
        return scatter(weighted, case_of_row, dim=0, dim_size=n_cases, reduce="sum"), attention


def _at_least_float32(x: Tensor) -> Tensor:
    return x.float() if x.element_size() < 4 else x
