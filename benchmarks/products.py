"""The limit of a training step: the matrix products of MiCo's released form alone, forward and backward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch


class Product(NamedTuple):
    """`x W^T` of x (rows, inner) and W (columns, inner), of both of which a step asks the gradient.

    `of_input` is False where x is data.
    """

    rows: int
    inner: int
    columns: int
    of_input: bool = True


def released_products(
    n_patches: int, dim_in: int, *, n_anchors: int = 64, embed_dim: int = 512, n_stages: int = 3, n_outputs: int = 4
) -> list[Product]:
    """The products of a forward pass over one slide, in order, each at its own shape."""
    d = embed_dim
    products = [Product(n_patches, dim_in, d, of_input=False), Product(n_anchors, dim_in, d)]  # both projections
    for stage in range(n_stages):
        k = n_anchors // 2**stage
        products += [Product(n_patches, d, k), Product(n_patches, k, d)]  # similarity, context
        products += [Product(n_patches, d, d)] * 2  # MLP
        products += [Product(d, k, k), Product(d, k, k // 2)]  # Cluster Reducer
    for rows in (n_patches, n_anchors // 2**n_stages):
        products += [Product(rows, d, d), Product(rows, d, 2 * d)]  # processor, both attention branches
        products += [Product(rows, d, 1), Product(1, rows, d)]  # score, weighted sum
    return [*products, Product(1, d, d), Product(1, d, n_outputs)]


def n_operations(products: Sequence[Product]) -> int:
    """Floating-point operations of a step: two for each multiplication, forward and for each gradient."""
    return sum(2 * p.rows * p.inner * p.columns * (2 + p.of_input) for p in products)


def products_alone(
    products: Sequence[Product], dtype: torch.dtype = torch.float32, device: torch.device | None = None
) -> Callable[[], list[torch.Tensor]]:
    """A pass through the products and back; the call returns the gradients of the weights.

    As in a step, each product has operands of its own, so that none finds them in the cache, and its results are
    allocated anew: those of the forward pass stay until their gradient is computed, those of weights to the end.
    """

    def random(rows: int, columns: int) -> torch.Tensor:
        return torch.randn(rows, columns, dtype=dtype, device=device)

    operands = [
        (random(p.rows, p.inner), random(p.columns, p.inner), random(p.rows, p.columns), p.of_input) for p in products
    ]

    def call() -> list[torch.Tensor]:
        outputs = [x @ weight.t() for x, weight, _, _ in operands]
        of_weights, of_x = [], None
        for x, weight, of_output, of_input in reversed(operands):
            outputs.pop()
            of_x = of_output @ weight if of_input else of_x
            of_weights.append(of_output.t() @ x)
        return of_weights

    return call
