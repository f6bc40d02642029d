"""Layer normalisation in float32 or wider, whatever the precision of training."""

from __future__ import annotations

from torch import Tensor, nn

from models.kernels.similarity import wide


class WideLayerNorm(nn.LayerNorm):
    """`torch.nn.LayerNorm` of inputs widened to float32.

    From 16-bit inputs torch 2.13 sums the gradients of weight and bias in 16 bits on the CPU, and loses half of them
    over 4,000 rows.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Map (..., d) to (..., d), in float32 or wider."""
        return super().forward(wide(input))
