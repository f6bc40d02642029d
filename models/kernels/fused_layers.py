"""Layers of MiCo with their activation, dropout and residual in one step each, so that memory is touched seldom.

Each equals its plain formula in values and gradients (`tests/models/kernels/test_fused_layers.py`). What is saved: the
mask of ReLU and dropout is not kept, since the zeros of the output tell both; matrix products take on the `1 / (1 -
rate)`; activations work in place. `docs/performance.md` has what it brings.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from models.kernels.sparse_dropout import draw_zeros, set_zeros

aten = torch.ops.aten


class LinearReLUDropout(nn.Sequential):
    """`dropout(relu(x W^T + b))`; its parameters are `0.weight` and `0.bias`, as in a list of the three layers."""

    def __init__(self, dim_in: int, dim_out: int, dropout: float) -> None:
        super().__init__(nn.Linear(dim_in, dim_out))
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, dim_in) to (N, dim_out)."""
        return linear_relu_dropout(x, cast(nn.Linear, self[0]), self.dropout if self.training else 0.0)


def linear_relu_dropout(x: Tensor, linear: nn.Linear, rate: float) -> Tensor:
    """`dropout(relu(x W^T + b))`, (N, a) to (N, b)."""
    return _LinearReLUDropout.apply(*in_compute_type(x, linear.weight, linear.bias), rate)


def residual_mlp(x: Tensor, first: nn.Linear, second: nn.Linear, rate: float, base: Tensor | None = None) -> Tensor:
    """`base + dropout(dropout(relu(x W_1^T + b_1)) W_2^T + b_2)`, (N, d) to (N, d); base is x where it is not given."""
    typed, *weights = in_compute_type(x, first.weight, first.bias, second.weight, second.bias)
    return _ResidualMLP.apply(typed, x if base is None else base, base is None, *weights, rate)


def gated_product_score(z: Tensor, tanh: nn.Linear, sigmoid: nn.Linear, scorer: nn.Linear, rate: float) -> Tensor:
    """`w . (dropout(tanh(V z)) * dropout(sigmoid(U z))) + b`, (N, d) to (N,).

    One matrix product serves both branches, and one draw both dropouts: their product is zero with probability
    `1 - (1 - rate)^2`.
    """
    weight, bias = torch.cat([tanh.weight, sigmoid.weight]), torch.cat([tanh.bias, sigmoid.bias])  # (2 a, d), (2 a,)
    scorer_weight = scorer.weight.squeeze(0) / (1 - rate) ** 2  # (a,)
    z, weight, bias, scorer_weight = in_compute_type(z, weight, bias, scorer_weight)
    return _GatedProductScore.apply(z, weight, bias, scorer_weight, 1 - (1 - rate) ** 2) + scorer.bias


def in_compute_type(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors in autocast's type where autocast is on, else as they are."""
    device = tensors[0].device.type
    if not torch.is_autocast_enabled(device):
        return tensors
    dtype = torch.get_autocast_dtype(device)
    return tuple(tensor.to(dtype) for tensor in tensors)


class _LinearReLUDropout(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, rate: float) -> Tensor:
        out = _scaled_linear(x, weight, bias, rate).relu_()
        if rate:
            set_zeros(out, draw_zeros(out, rate))
        ctx.save_for_backward(x, weight, out)
        ctx.rate = rate
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, out = ctx.saved_tensors
        grad = aten.threshold_backward(grad, out, 0)  # zeros of ReLU and of dropout alike
        of_x = _scaled_product(grad, weight, ctx.rate) if ctx.needs_input_grad[0] else None
        return (of_x, *_weight_gradients(grad, x, ctx.rate), None)


class _ResidualMLP(Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, base: Tensor, same: bool, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor, rate: float
    ) -> Tensor:
        hidden = _scaled_linear(x, w1, b1, rate).relu_()  # (N, d)
        if rate:
            set_zeros(hidden, draw_zeros(hidden, rate))
        out = _scaled_linear(hidden, w2, b2, rate)  # (N, d)
        zeros = draw_zeros(out, rate) if rate else None
        if zeros is not None:
            set_zeros(out, zeros)
        ctx.save_for_backward(x, hidden, w1, w2, zeros)
        ctx.same, ctx.type, ctx.rate = same and x.dtype == base.dtype, out.dtype, rate
        return out.add_(base) if out.dtype == base.dtype else base + out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_base: Tensor) -> tuple[Tensor | None, ...]:
        x, hidden, w1, w2, zeros = ctx.saved_tensors
        grad = of_base.to(ctx.type)
        if zeros is not None:
            grad = set_zeros(grad.clone() if grad is of_base else grad, zeros)
        of_hidden = _scaled_product(grad, w2, ctx.rate)
        aten.threshold_backward(of_hidden, hidden, 0, grad_input=of_hidden)  # zeros of ReLU and of dropout alike
        of_second, of_first = _weight_gradients(grad, hidden, ctx.rate), _weight_gradients(of_hidden, x, ctx.rate)
        if ctx.same:  # the residual's gradient joins in the matrix product
            of_x = torch.addmm(of_base, of_hidden, w1, alpha=1 / (1 - ctx.rate))
            return (of_x, None, None, *of_first, *of_second, None)
        return (_scaled_product(of_hidden, w1, ctx.rate), of_base, None, *of_first, *of_second, None)


class _GatedProductScore(Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, weight: Tensor, bias: Tensor, scorer: Tensor, rate: float) -> Tensor:
        branches = torch.addmm(bias, z, weight.t())  # (N, 2 a)
        tanh, sigmoid = branches.chunk(2, dim=1)
        product = tanh.tanh_() * sigmoid.sigmoid_()  # (N, a)
        zeros = draw_zeros(product, rate) if rate else None
        if zeros is not None:
            set_zeros(product, zeros)
        ctx.save_for_backward(z, weight, scorer, branches, product, zeros)
        return product @ scorer  # (N,)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        z, weight, scorer, branches, product, zeros = ctx.saved_tensors
        of_product = torch.outer(grad, scorer)  # (N, a)
        if zeros is not None:
            set_zeros(of_product, zeros)
        of_branches = torch.empty_like(branches)  # (N, 2 a)
        tanh, sigmoid = branches.chunk(2, dim=1)
        of_tanh, of_sigmoid = of_branches.chunk(2, dim=1)
        aten.tanh_backward(of_product * sigmoid, tanh, grad_input=of_tanh)
        aten.sigmoid_backward(of_product.mul_(tanh), sigmoid, grad_input=of_sigmoid)
        of_z = of_branches @ weight if ctx.needs_input_grad[0] else None
        return (of_z, *_weight_gradients(of_branches, z, 0.0), grad @ product, None)


def _scaled_linear(x: Tensor, weight: Tensor, bias: Tensor, rate: float) -> Tensor:
    """`(x W^T + b) / (1 - rate)`, what dropout makes of the values that it keeps; the product scales as it goes."""
    scale = 1 / (1 - rate)
    return torch.addmm(bias, x, weight.t(), beta=scale, alpha=scale)


def _scaled_product(grad: Tensor, weight: Tensor, rate: float) -> Tensor:
    """`grad W / (1 - rate)`."""
    return torch.addmm(grad.new_zeros(()), grad, weight, beta=0, alpha=1 / (1 - rate))


def _weight_gradients(grad: Tensor, x: Tensor, rate: float) -> tuple[Tensor, Tensor]:
    """Gradients of the weights and the bias of `(x W^T + b) / (1 - rate)`."""
    return (grad.t() @ x).div_(1 - rate), grad.sum(dim=0).div_(1 - rate)
