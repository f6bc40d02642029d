"""Similarity of patches and anchors: cosine (Eq. 1) in the paper form, distance or dot product in the released form.

Patches (N, d) meet anchors (K, d), the same for every slide, or (n_slides, K, d), each slide's own; the result is
(N, K). Distances and cosines are computed in float32 or wider whatever the precision of training: in 16 bits, those of
nearby points cancel to nothing. Both come from one matrix product and the norms; `torch.cdist` copies patches and
anchors to append the norms.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from models.kernels.segment_ops import Segments

SMALLEST_NORM = 1e-12  # as in torch.nn.functional.normalize


def l2_similarity(patches: Tensor, anchors: Tensor, slides: Segments) -> Tensor:
    """`similarity(m, k) = -|| patch_m - anchor_k ||_2`; its gradient is 0 where patch and anchor coincide."""
    with torch.autocast(patches.device.type, enabled=False):
        x, a = wide(patches), wide(anchors)
        of_anchors = a.square().sum(dim=-1)  # (K,) or (n_slides, K)
        squares = slides.products(x, -2 * a.transpose(-1, -2))  # (N, K)
        squares = squares + x.square().sum(dim=1, keepdim=True)
        squares = squares + (of_anchors if a.dim() == 2 else of_anchors[slides.index])
    apart = squares > 0  # the root has no gradient at 0
    return -(torch.where(apart, squares, 1).sqrt() * apart)


def dot_similarity(patches: Tensor, anchors: Tensor, slides: Segments) -> Tensor:
    """`similarity(m, k) = patch_m . anchor_k`."""
    return slides.products(patches, anchors.transpose(-1, -2))


def cosine_similarity(patches: Tensor, anchors: Tensor, slides: Segments) -> Tensor:
    """`A(m, k) = cosine(patch_m, anchor_k)` (Eq. 1)."""
    with torch.autocast(patches.device.type, enabled=False):
        x, a = wide(patches), F.normalize(wide(anchors), dim=-1)
        norm = torch.linalg.vector_norm(x, dim=1, keepdim=True).clamp(min=SMALLEST_NORM)  # (N, 1)
        return slides.products(x, a.transpose(-1, -2)) / norm  # (N, K)


SIMILARITIES = {"l2": l2_similarity, "dot": dot_similarity}


def wide(x: Tensor) -> Tensor:
    """`x` in float32, or in float64 where it is."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
