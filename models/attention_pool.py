"""Gated attention pooling over ragged cases (Ilse, Tomczak and Welling, ICML 2018, Eq. 9), whole or in blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.kernels.dropout import Dropout
from models.kernels.similarity import wide


class Pooled(NamedTuple):
    """What softmax pooling needs of some rows of each of B cases, to be merged with that of other rows.

    Attributes:
        sums: (B, d), `sum_r exp(score_r - shift) z_r`.
        totals: (B,), `sum_r exp(score_r - shift)`.
        shift: (B,), the largest score, -inf for a case without rows; no gradient flows through it.
    """

    sums: Tensor
    totals: Tensor
    shift: Tensor


class GatedAttentionPool(nn.Module):
    """`score = w . (tanh(V z) * sigmoid(U z))`, a softmax of the scores over each case, and the weighted sum of z.

    V and U are Linear(d, a) with dropout after the non-linearity; w is Linear(a, 1). The width a is d unless given.
    """

    def __init__(self, embed_dim: int, dropout: float, attention_dim: int | None = None) -> None:
        super().__init__()
        width = attention_dim or embed_dim
        self.feature_transform = nn.Sequential(nn.Linear(embed_dim, width))  # in a list: named as in the released code
        self.attention_gate = nn.Sequential(nn.Linear(embed_dim, width))
        self.attention_scorer = nn.Linear(width, 1)
        # Dropout on each branch: their product is 0 with this probability. One draw serves both.
        self.dropout = Dropout(1 - (1 - dropout) ** 2, inplace=True)

    def score(self, z: Tensor) -> Tensor:
        """The score of each row, (R, d) to (R,), in float32 or wider."""
        gated = self.feature_transform(z).tanh_() * self.attention_gate(z).sigmoid_()  # (R, a)
        return wide(self.attention_scorer(self.dropout(gated)).squeeze(1))

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
        score = self.score(z)
        pooled = merge_pooled([pool_rows(z, score, case_of_row, n_cases)])  # a softmax of which one part has all rows
        return pooled.sums / pooled.totals.unsqueeze(1), attention_of(score, case_of_row, pooled)


def pool_rows(z: Tensor, score: Tensor, case_of_row: Tensor, n_cases: int) -> Pooled:
    """Pool rows (R, d) with scores (R,), float32 or wider, by case: one matrix product, no loop over cases."""
    n_rows = len(score)
    if n_rows == 0:
        return no_rows(n_cases, z.size(1), score)
    scores = score.new_full((n_cases, n_rows), -torch.inf).scatter(0, case_of_row.unsqueeze(0), score.unsqueeze(0))
    shift = scores.detach().amax(dim=1)  # (B,)
    weights = torch.exp(scores - shift.clamp(min=torch.finfo(score.dtype).min).unsqueeze(1))  # (B, R)
    with torch.autocast(z.device.type, enabled=False):
        sums = weights @ wide(z)
    return Pooled(sums, weights.sum(dim=1), shift)


def no_rows(n_cases: int, width: int, like: Tensor) -> Pooled:
    """No row of any of B cases pooled, in the type and on the device of `like`."""
    return Pooled(like.new_zeros(n_cases, width), like.new_zeros(n_cases), like.new_full((n_cases,), -torch.inf))


def merge_pooled(parts: Sequence[Pooled]) -> Pooled:
    """The pooled rows of all parts."""
    sums, totals, shifts = (torch.stack(values) for values in zip(*parts, strict=True))  # (P, B, d), (P, B), (P, B)
    shift = shifts.amax(dim=0)  # (B,)
    factor = torch.exp(shifts - shift.clamp(min=torch.finfo(shift.dtype).min))  # (P, B), 0 for parts without rows
    return Pooled((factor.unsqueeze(2) * sums).sum(dim=0), (factor * totals).sum(dim=0), shift)


def attention_of(score: Tensor, case_of_row: Tensor, pooled: Pooled) -> Tensor:
    """The softmax (R,) over each case of scores (R,), from the sums of all rows of the cases."""
    return torch.exp(score - pooled.shift[case_of_row]) / pooled.totals[case_of_row]
