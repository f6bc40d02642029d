"""Fused layers against their plain formulas with the same dropout masks, in values and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from models.kernels.fused_layers import gated_product_score, linear_relu_dropout, residual_mlp
from models.kernels.sparse_dropout import draw_zeros, set_zeros
from tests.reference.tolerance import relative_error

every_rate = pytest.mark.parametrize("rate", [0.0, 0.3])


def mask(n_rows: int, width: int, rate: float) -> Tensor:
    """The next mask that a layer draws: 0 and `1 / (1 - rate)`."""
    kept = torch.ones(n_rows, width, dtype=torch.float64)
    return set_zeros(kept, draw_zeros(kept, rate)) / (1 - rate) if rate else kept


def linear(dim_in: int, dim_out: int) -> nn.Linear:
    return nn.Linear(dim_in, dim_out).double()


def assert_same(fused, plain, *sources: Tensor) -> None:
    """Equal values, and equal gradients of all sources, each computed from the same seed."""
    torch.manual_seed(1)
    got = fused()
    torch.manual_seed(1)
    expected = plain()
    assert relative_error(got, expected) < 1e-12
    weights = torch.randn_like(expected)
    gradients = torch.autograd.grad((got * weights).sum(), sources)
    for one, other in zip(gradients, torch.autograd.grad((expected * weights).sum(), sources), strict=True):
        assert relative_error(one, other) < 1e-12


@every_rate
@pytest.mark.parametrize("n_rows", [1, 40])
def test_linear_relu_dropout(rate: float, n_rows: int):
    x, layer = torch.randn(n_rows, 5, dtype=torch.float64, requires_grad=True), linear(5, 7)
    assert_same(
        lambda: linear_relu_dropout(x, layer, rate),
        lambda: torch.relu(layer(x)) * mask(n_rows, 7, rate),
        x,
        *layer.parameters(),
    )


@every_rate
@pytest.mark.parametrize("residual", [False, True], ids=["base-is-x", "other-base"])
def test_residual_mlp(rate: float, residual: bool):
    x = torch.randn(40, 6, dtype=torch.float64, requires_grad=True)
    base = torch.randn(40, 6, dtype=torch.float64, requires_grad=True) if residual else None
    first, second = linear(6, 6), linear(6, 6)

    def plain() -> Tensor:
        hidden = torch.relu(first(x)) * mask(40, 6, rate)
        return (x if base is None else base) + second(hidden) * mask(40, 6, rate)

    sources = [x, *first.parameters(), *second.parameters(), *([] if base is None else [base])]
    assert_same(lambda: residual_mlp(x, first, second, rate, base), plain, *sources)


@every_rate
def test_gated_product_score(rate: float):
    z, tanh, sigmoid, scorer = (
        torch.randn(40, 5, dtype=torch.float64, requires_grad=True),
        linear(5, 4),
        linear(5, 4),
        linear(4, 1),
    )

    def plain() -> Tensor:
        # One mask for the product: it is zero where either branch is, with probability 1 - (1 - rate)^2.
        product = torch.tanh(tanh(z)) * torch.sigmoid(sigmoid(z)) * mask(40, 4, 1 - (1 - rate) ** 2)
        return scorer(product).squeeze(1)

    parameters = [p for layer in (tanh, sigmoid, scorer) for p in layer.parameters()]
    assert_same(lambda: gated_product_score(z, tanh, sigmoid, scorer, rate), plain, z, *parameters)


def test_autocast_computes_in_its_type_and_gives_gradients_in_that_of_the_parameters():
    x, layers = torch.randn(40, 8, requires_grad=True), [nn.Linear(8, 8) for _ in range(2)]
    exact = residual_mlp(x, *layers, 0.0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        relu = linear_relu_dropout(x, layers[0], 0.0)
        out = residual_mlp(x, *layers, 0.0)
        score = gated_product_score(x, *layers, nn.Linear(8, 1), 0.0)
    assert relu.dtype == torch.bfloat16
    assert out.dtype == torch.float32  # the residual is not rounded
    assert (out - exact).abs().max() < 0.05
    (relu.float().sum() + out.sum() + score.float().sum()).backward()
    assert all(p.grad.dtype == torch.float32 for layer in layers for p in layer.parameters())
    assert x.grad.dtype == torch.float32


def test_the_caller_keeps_its_tensors():
    """In-place steps work on what the layers made themselves, also on the gradient that comes in."""
    x = torch.randn(20, 6, dtype=torch.float64, requires_grad=True)
    before, incoming = x.detach().clone(), torch.randn(20, 6, dtype=torch.float64)
    out = residual_mlp(x, linear(6, 6), linear(6, 6), 0.3)
    kept = incoming.clone()
    out.backward(incoming)
    assert torch.equal(x, before)
    assert torch.equal(incoming, kept)
