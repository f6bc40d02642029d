"""Similarity of patches and anchors: cosine (Eq. 1) in the paper form, distance or dot product in the released form.

Patches (N, d) meet anchors (K, d), the same for every slide, or (n_slides, K, d), each slide's own; the result is
(N, K). Distances and cosines are computed in float32 or wider whatever the precision of training: in 16 bits, those of
nearby points cancel to nothing. Both come from one matrix product and the norms, and so do their gradients:
`torch.cdist` copies patches and anchors to append the norms.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from models.kernels.segment_ops import Segments

SMALLEST_NORM = 1e-12  # as in torch.nn.functional.normalize


def l2_similarity(patches: Tensor, anchors: Tensor, slides: Segments) -> Tensor:
    """`similarity(m, k) = -|| patch_m - anchor_k ||_2`; its gradient is 0 where patch and anchor coincide."""
    return _NegativeDistance.apply(patches, anchors, slides)


def dot_similarity(patches: Tensor, anchors: Tensor, slides: Segments) -> Tensor:
    """`similarity(m, k) = patch_m . anchor_k`."""
    return slides.products(patches, anchors.transpose(-1, -2))


def cosine_similarity(patches: Tensor, anchors: Tensor, slides: Segments) -> Tensor:
    """`A(m, k) = cosine(patch_m, anchor_k)` (Eq. 1)."""
    return _ScaledByNorm.apply(patches, F.normalize(wide(anchors), dim=-1), slides)


SIMILARITIES = {"l2": l2_similarity, "dot": dot_similarity}


def wide(x: Tensor) -> Tensor:
    """`x` in float32, or in float64 where it is."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


class _NegativeDistance(Function):
    """`-||x_m - a_k||` from `||x||^2 - 2 x.a + ||a||^2`."""

    @staticmethod
    def forward(ctx: Any, patches: Tensor, anchors: Tensor, slides: Segments) -> Tensor:
        with torch.autocast(patches.device.type, enabled=False):
            x, a = wide(patches), wide(anchors)
            squares = torch.linalg.vector_norm(x, dim=1, keepdim=True).square()  # (N, 1)
            of_anchors = a.square().sum(dim=-1)  # (K,) or (n_slides, K)
            distance = slides.products(x, a.transpose(-1, -2)).mul_(-2).add_(squares)
            distance.add_(of_anchors if a.dim() == 2 else of_anchors[slides.index]).clamp_(min=0).sqrt_()  # (N, K)
        ctx.save_for_backward(patches, anchors, distance)
        ctx.slides = slides
        return -distance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """`d(-||x - a||) / dx = (a - x) / ||x - a||`, and the negative of it for a."""
        patches, anchors, distance = ctx.saved_tensors
        x, a = wide(patches), wide(anchors)
        weights = (grad / distance).masked_fill_(distance == 0, 0)  # (N, K)
        of_patches = ctx.slides.products(weights, a).addcmul_(x, weights.sum(dim=1, keepdim=True), value=-1)
        totals = _sums(ctx.slides, weights, weights.new_ones(len(x), 1), shared=a.dim() == 2)  # (..., K, 1)
        of_anchors = _sums(ctx.slides, weights, x, shared=a.dim() == 2) - totals * a
        return of_patches.to(patches.dtype), of_anchors.to(anchors.dtype), None


class _ScaledByNorm(Function):
    """`x_m . a_k / ||x_m||`, the cosine for anchors of length 1."""

    @staticmethod
    def forward(ctx: Any, patches: Tensor, anchors: Tensor, slides: Segments) -> Tensor:
        with torch.autocast(patches.device.type, enabled=False):
            x = wide(patches)
            norm = torch.linalg.vector_norm(x, dim=1, keepdim=True).clamp_(min=SMALLEST_NORM)  # (N, 1)
            cosine = slides.products(x, anchors.transpose(-1, -2)).div_(norm)  # (N, K)
        ctx.save_for_backward(patches, anchors, norm, cosine)
        ctx.slides = slides
        return cosine

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """`d cos / dx = (a - cos x / ||x||) / ||x||`."""
        patches, anchors, norm, cosine = ctx.saved_tensors
        x, weights = wide(patches), grad / norm  # (N, d), (N, K)
        shrink = (weights * cosine).sum(dim=1, keepdim=True) / norm  # (N, 1)
        of_patches = ctx.slides.products(weights, anchors).addcmul_(x, shrink, value=-1)
        return of_patches.to(patches.dtype), _sums(ctx.slides, weights, x, shared=anchors.dim() == 2), None


def _sums(slides: Segments, weights: Tensor, rows: Tensor, *, shared: bool) -> Tensor:
    """`weights^T rows`, over all rows (K, d) for shared anchors, else over those of each slide (n_slides, K, d)."""
    return weights.t() @ rows if shared else slides.weighted_sums(weights, rows)
