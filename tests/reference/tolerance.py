"""How far apart two tensors are, relative to the size of the one that is right."""

from __future__ import annotations

from torch import Tensor


def relative_error(got: Tensor, expected: Tensor) -> float:
    """`max |got - expected| / max |expected|`; 0 where both are 0."""
    assert got.shape == expected.shape, (got.shape, expected.shape)
    difference = (got - expected).abs().max().item() if expected.numel() else 0.0
    return difference / max(expected.abs().max().item(), 1e-30) if difference else 0.0
