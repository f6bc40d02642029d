"""Layer normalisation of 16-bit rows."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.kernels.layer_norm import WideLayerNorm


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_equals_the_plain_layer_in_float32_or_wider(dtype: torch.dtype):
    x = torch.randn(50, 6).to(dtype)
    wide = torch.promote_types(dtype, torch.float32)
    layer, plain = WideLayerNorm(6).to(wide), nn.LayerNorm(6).to(wide)
    out = layer(x)
    assert out.dtype == wide
    assert torch.equal(out, plain(x.to(wide)))


def test_gradients_over_many_16_bit_rows_are_not_lost():
    layer = WideLayerNorm(4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        layer(torch.randn(8000, 4).bfloat16()).sum().backward()
    assert layer.bias.grad.tolist() == [8000.0] * 4
