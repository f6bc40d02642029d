"""What patches and anchors receive through a hard assignment (Eq. 2), without a one-hot matrix.

`Â = one-hot(argmax_k A) + A - stop_gradient(A)`: in the forward pass a patch has the one anchor that it chose, so that
products with Â are a gather and a sum by chosen anchor; backward A receives the gradient of Â, a matrix product.
`tests/models/kernels/test_hard_assignment.py` compares both with the dense Â.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from models.kernels.segment_ops import Segments
from models.kernels.similarity import wide


def chosen_context(affinity: Tensor | None, chosen: Tensor, anchors: Tensor, slides: Segments) -> Tensor:
    """`sum_k Â(m, k) anchor_k`: the anchor that each patch chose.

    Args:
        affinity: A, (N, K), which receives the gradient of Â; None where no gradient is asked for.
        chosen: (N,) int64, `argmax_k A`.
        anchors: (K, d), or (n_slides, K, d).
        slides: where each slide's patches lie.

    Returns:
        (N, d).
    """
    return _ChosenContext.apply(affinity, chosen, anchors, slides)


def chosen_sums(
    affinity: Tensor | None, chosen: Tensor, patches: Tensor, n_anchors: int, slides: Segments
) -> tuple[Tensor, Tensor]:
    """`sum_m Â(m, k) patch_m` over the patches of each slide, and how many patches chose each anchor.

    Args:
        affinity: A, (N, K), which receives the gradient of Â; None where no gradient is asked for.
        chosen: (N,) int64, `argmax_k A`.
        patches: (N, d).
        n_anchors: K.
        slides: where each slide's patches lie.

    Returns:
        Sums (n_slides, K, d) in float32 or wider, and counts (n_slides, K, 1) int64, through which no gradient flows.
    """
    counts = torch.bincount(_cells(chosen, n_anchors, slides), minlength=slides.count * n_anchors)
    sums = _ChosenSums.apply(affinity, chosen, patches, n_anchors, slides)
    return sums, counts.view(slides.count, n_anchors, 1)


class _ChosenContext(Function):
    @staticmethod
    def forward(ctx: Any, affinity: Tensor | None, chosen: Tensor, anchors: Tensor, slides: Segments) -> Tensor:
        ctx.save_for_backward(chosen, anchors)
        ctx.slides = slides
        return anchors.flatten(0, -2).index_select(0, _rows_of(chosen, anchors, slides))  # (N, d)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        chosen, anchors = ctx.saved_tensors
        of_affinity = ctx.slides.products(grad, anchors.transpose(-1, -2))  # (N, K)
        rows = _rows_of(chosen, anchors, ctx.slides)
        of_anchors = wide(anchors.new_zeros(anchors.shape)).flatten(0, -2).index_add_(0, rows, wide(grad))
        return of_affinity, None, of_anchors.view_as(anchors).to(anchors.dtype), None


class _ChosenSums(Function):
    @staticmethod
    def forward(
        ctx: Any, affinity: Tensor | None, chosen: Tensor, patches: Tensor, n_anchors: int, slides: Segments
    ) -> Tensor:
        rows = wide(patches)
        cells = _cells(chosen, n_anchors, slides)
        ctx.save_for_backward(patches, cells)
        ctx.slides = slides
        sums = rows.new_zeros(slides.count * n_anchors, rows.size(1)).index_add_(0, cells, rows)
        return sums.view(slides.count, n_anchors, rows.size(1))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        patches, cells = ctx.saved_tensors
        of_affinity = ctx.slides.products(wide(patches), grad.transpose(1, 2))  # (N, K)
        of_patches = grad.to(patches.dtype).flatten(0, 1).index_select(0, cells)  # (N, d)
        return of_affinity, None, of_patches, None, None


def _cells(chosen: Tensor, n_anchors: int, slides: Segments) -> Tensor:
    """(N,) int64: the chosen anchor of the patch's slide, counted through all slides."""
    return chosen if slides.count == 1 else slides.index * n_anchors + chosen


def _rows_of(chosen: Tensor, anchors: Tensor, slides: Segments) -> Tensor:
    return chosen if anchors.dim() == 2 else _cells(chosen, anchors.size(1), slides)
