"""TransMIL: a Transformer over the patches of a case (Shao et al., NeurIPS 2021).

Self-attention over M patches would need M^2 weights; TransMIL takes the Nystrom approximation of Xiong et al. (AAAI
2021), here from the package that TransMIL's authors use.
"""

from __future__ import annotations

import math

import torch
from nystrom_attention import NystromAttention
from torch import Tensor, nn

from models.bag_model import BagInput, BagModel
from models.output import BagOutput

N_HEADS = 8


class PPEG(nn.Module):
    """Position encoding: `x + conv7(x) + conv5(x) + conv3(x)`, depth-wise, on the patches laid out as a square."""

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(embed_dim, embed_dim, kernel_size=size, padding=size // 2, groups=embed_dim) for size in (7, 5, 3)
        )

    def forward(self, patches: Tensor) -> Tensor:
        """Map (S * S, d) to (S * S, d), row after row of the square."""
        side = math.isqrt(patches.size(0))
        square = patches.transpose(0, 1).reshape(1, -1, side, side)  # (1, d, S, S)
        encoded = square + sum(convolution(square) for convolution in self.convolutions)
        return encoded.flatten(2).squeeze(0).transpose(0, 1)  # (S * S, d)


class TransLayer(nn.Module):
    """`x + NystromAttention(LayerNorm(x))`, with 8 heads of width d / 8 and d / 2 landmarks."""

    def __init__(self, embed_dim: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(embed_dim)
        self.attention = NystromAttention(
            dim=embed_dim,
            dim_head=embed_dim // N_HEADS,
            heads=N_HEADS,
            num_landmarks=embed_dim // 2,
            pinv_iterations=6,
            residual=True,
            dropout=dropout,
        )

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Map tokens (n, d) to (n, d) and the first token's row of the approximated attention, mean over heads, (n,).

        The row is that of `softmax(Q K~^T) pinv(softmax(Q~ K~^T)) softmax(Q~ K^T)`, without the n x n matrix.
        """
        # In float32 also under autocast: where the attention of the landmarks is nearly uniform, the iterated
        # pseudo-inverse (256 landmarks, on a CPU) was off by up to 17 % in bfloat16, 11 % in float16 and 0.02 % in
        # float32. Nothing overflowed.
        with torch.autocast(tokens.device.type, enabled=False):
            tokens = tokens.to(torch.promote_types(tokens.dtype, torch.float32))
            # One case a call: the package scales the start of the pseudo-inverse by maxima over its whole batch, which
            # would make a case depend on its neighbours.
            attended, (queries, inverse, keys) = self.attention(
                self.norm(tokens).unsqueeze(0), return_attn_matrices=True
            )  # (1, n, d); (1, 8, n', L), (1, 8, L, L), (1, 8, L, n')
            n_tokens = tokens.size(0)
            first = queries[0, :, -n_tokens].unsqueeze(1)  # (8, 1, L): n' - n rows of zeros come before the tokens
            row = (first @ inverse[0] @ keys[0]).mean(dim=0).squeeze(0)  # (n',)
            return tokens + attended.squeeze(0), row[-n_tokens:]


class TransMIL(BagModel):
    """Two layers of self-attention with position encoding between them; the class token has the prediction.

    `h_m = ReLU(W_1 x_m + b_1)`, repeated from the first one on until S * S patches fill a square, S = ceil(sqrt(M));
    `x = [class token, h]`, `x = TransLayer_1(x)`, `x = [class token, PPEG(patches)]`, `x = TransLayer_2(x)`,
    `logits = W LayerNorm(class token) + b`.

    The order of the patches matters, through the square; as in the authors' code it is the order of the bag, not the
    position on the slide. The attention of a patch is the class token's in the second layer (`patch_shares`).

    Args:
        dim_in: D, the width of the patch features.
        n_outputs: C.
        embed_dim: d, divisible by 8.
        dropout: rate of the output of both attentions.

    Raises:
        ValueError: if 8 does not divide embed_dim.
    """

    def __init__(self, *, dim_in: int, n_outputs: int, embed_dim: int = 512, dropout: float = 0.05) -> None:
        super().__init__(dim_in)
        if embed_dim % N_HEADS != 0:
            raise ValueError(f"got embed_dim {embed_dim}, expected a multiple of {N_HEADS}, the heads of TransMIL")
        self.projector = nn.Sequential(nn.Linear(dim_in, embed_dim), nn.ReLU())
        self.class_token = nn.Parameter(torch.randn(1, embed_dim))
        self.layer_1 = TransLayer(embed_dim, dropout)
        self.position_encoding = PPEG(embed_dim)
        self.layer_2 = TransLayer(embed_dim, dropout)
        self.norm = nn.LayerNorm(embed_dim)
        self.classifier = nn.Linear(embed_dim, n_outputs)

    def aggregate(self, bags: BagInput) -> BagOutput:
        """Map bags to logits. Anchors and positions are unused."""
        cases = bags.cases
        patches = self.projector(bags.features())  # (N, d)
        tokens, shares = zip(*(self._one_case(rows) for rows in patches.split(cases.sizes)), strict=True)
        return BagOutput(self.classifier(self.norm(torch.stack(tokens))), torch.cat(shares))

    def _one_case(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Map the patches (M, d) of a case to its class token (d,) and the shares of the patches (M,)."""
        original = square_copies(patches.size(0), device=patches.device)  # (S * S,)
        x, _ = self.layer_1(torch.cat([self.class_token, patches[original]]))  # (1 + S * S, d)
        x = torch.cat([x[:1], self.position_encoding(x[1:])])
        x, row = self.layer_2(x)
        return x[0], patch_shares(row[1:], original, patches.size(0))


def square_copies(n_patches: int, device: torch.device | None = None) -> Tensor:
    """The patch at each place of the smallest square for M patches: 0 .. M - 1, then again from 0; (S * S,) int64."""
    side = math.isqrt(n_patches - 1) + 1
    return torch.arange(side * side, device=device) % n_patches


def patch_shares(row: Tensor, original: Tensor, n_patches: int) -> Tensor:
    """A row of attention to the places of the square as shares of the patches, which sum to 1.

    A patch has the sum over its copies. Rows of the Nystrom approximation can dip below 0, which counts as 0; where
    no patch is above 0 all have the same share.

    Args:
        row: (S * S,), of any sign.
        original: (S * S,) int64, the patch at each place.
        n_patches: M.
    """
    summed = row.new_zeros(n_patches).index_add(0, original, row).clamp(min=0)  # (M,)
    total = summed.sum()
    return torch.where(total > 0, summed / total.clamp(min=torch.finfo(row.dtype).tiny), 1 / n_patches)
