"""Cluster Route: patches choose anchors, and receive the context of the anchor they chose (Eqs. 1 to 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.segment_ops import Segments


class ContextEnhancer(nn.Module):
    """The MLP of a stage: Linear(d, d), ReLU, Dropout, Linear(d, d), Dropout."""

    def __init__(self, embed_dim: int, dropout: float) -> None:
        super().__init__()
        self.fc1 = nn.Linear(embed_dim, embed_dim)
        self.fc2 = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, d) to (N, d)."""
        return self.dropout(self.fc2(self.dropout(F.relu(self.fc1(x)))))


class Routed(NamedTuple):
    """What a Cluster Route hands on.

    Attributes:
        patches: (N, d), enhanced by their context.
        anchors: (K, d) or (n_slides, K, d), what the Cluster Reducer receives.
        assignment: (N,) int64, the anchor that each patch chose; None where patches choose none.
    """

    patches: Tensor
    anchors: Tensor
    assignment: Tensor | None


def l2_similarity(patches: Tensor, anchors: Tensor) -> Tensor:
    """`similarity(m, k) = -|| patch_m - anchor_k ||_2`; (M, d) and (K, d) to (M, K), in float32 or wider."""
    # In half precision the distances of nearby points cancel to nothing.
    dtype = torch.promote_types(patches.dtype, torch.float32)
    return -torch.cdist(patches.to(dtype), anchors.to(dtype))


def dot_similarity(patches: Tensor, anchors: Tensor) -> Tensor:
    """`similarity(m, k) = patch_m . anchor_k`; (M, d) and (K, d) to (M, K)."""
    return patches @ anchors.transpose(0, 1)


def cosine_similarity(patches: Tensor, anchors: Tensor) -> Tensor:
    """`A(m, k) = cosine(patch_m, anchor_k)` (Eq. 1); (M, d) and (K, d) to (M, K)."""
    return F.normalize(patches, dim=1) @ F.normalize(anchors, dim=1).transpose(0, 1)


SIMILARITIES = {"l2": l2_similarity, "dot": dot_similarity}
ASSIGNMENTS = ("soft", "hard")


def straight_through(affinity: Tensor) -> tuple[Tensor, Tensor]:
    """`Â = one-hot(argmax_k A) + A - stop_gradient(A)` (Eq. 2): one-hot forward, the gradient of A backward.

    Args:
        affinity: A, (N, K).

    Returns:
        Â (N, K), and the chosen anchors (N,) int64.
    """
    chosen = affinity.argmax(dim=1)  # (N,)
    one_hot = F.one_hot(chosen, affinity.size(1)).to(affinity.dtype)  # (N, K)
    # A - stop_gradient(A) is an exact zero only when subtracted first.
    return one_hot + (affinity - affinity.detach()), chosen


def update_anchors(patches: Tensor, anchors: Tensor, hard: Tensor, chosen: Tensor, slides: Segments) -> Tensor:
    """`s~_k = sum_m Â(m, k) patch_m / N_k` with `N_k = sum_m Â(m, k)` (Eq. 3), over the patches of one slide.

    N_k is a count, through which no gradient flows. An anchor that no patch of a slide chose keeps its value there.

    Args:
        patches: (N, d).
        anchors: (K, d) or (n_slides, K, d).
        hard: Â, (N, K).
        chosen: (N,) int64, the argmax of each row of Â.
        slides: where each slide's patches lie.

    Returns:
        (n_slides, K, d): from here on every slide has its own anchors.
    """
    n_anchors = anchors.size(-2)
    cells = slides.index * n_anchors + chosen  # (N,)
    counts = torch.bincount(cells, minlength=slides.count * n_anchors).view(slides.count, n_anchors, 1)
    means = slides.weighted_sums(hard, patches) / counts.clamp(min=1)  # (n_slides, K, d)
    return torch.where(counts > 0, means, anchors)


@dataclass(frozen=True)
class ClusterRoute:
    """The Cluster Route of one stage, in both forms; the layers it uses are owned by the model.

    Attributes:
        formulation: `released` or `paper`.
        similarity: `l2` or `dot` (released).
        assignment: `soft` or `hard` (released).
        similarity_scale: (1,), one learnable scalar shared by all stages (released).
        enhancer: MLP_l.
        norm: LayerNorm_l.
        context: False is the ablation without Cluster Route: no context reaches the patches, nor patches the anchors.
    """

    formulation: str
    similarity: str
    assignment: str
    similarity_scale: Tensor
    enhancer: nn.Module
    norm: nn.Module
    context: bool = True

    def __call__(self, patches: Tensor, anchors: Tensor, slides: Segments) -> Routed:
        """Route (N, d) patches through (K, d) or (n_slides, K, d) anchors."""
        if not self.context:
            return self._without_context(patches, anchors)
        if self.formulation == "paper":
            return self._paper(patches, anchors, slides)
        return self._released(patches, anchors, slides)

    def _released(self, patches: Tensor, anchors: Tensor, slides: Segments) -> Routed:
        """Context from the anchors as they are.

        `A = softmax_k(similarity / similarity_scale)`, `patches = LayerNorm_l(patches + A anchors)`,
        `patches = patches + MLP_l(patches)`; the anchors do not depend on the patches.
        """
        similarity = slides.map_rows(SIMILARITIES[self.similarity], patches, anchors)  # (N, K)
        affinity = torch.softmax(similarity / self.similarity_scale, dim=1)
        if self.assignment == "hard":
            affinity, chosen = straight_through(affinity)
        else:
            chosen = affinity.argmax(dim=1)
        context = slides.map_rows(torch.matmul, affinity, anchors)  # (N, d)
        patches = self.norm(patches + context)
        return Routed(patches + self.enhancer(patches), anchors, chosen)

    def _paper(self, patches: Tensor, anchors: Tensor, slides: Segments) -> Routed:
        """Context from anchors that the slide's own patches have moved.

        `patch'_m = LayerNorm_l(patch_m + MLP_l(patch_m + sum_k Â(m, k) s~_k))` (Eq. 4, then Add & Norm of Fig. 1).
        """
        affinity = slides.map_rows(cosine_similarity, patches, anchors)  # (N, K), Eq. 1
        hard, chosen = straight_through(affinity)  # Eq. 2
        anchors = update_anchors(patches, anchors, hard, chosen, slides)  # (n_slides, K, d), Eq. 3
        context = slides.map_rows(torch.matmul, hard, anchors)  # (N, d)
        patches = self.norm(patches + self.enhancer(patches + context))  # Eq. 4
        return Routed(patches, anchors, chosen)

    def _without_context(self, patches: Tensor, anchors: Tensor) -> Routed:
        """The stage with a context of zero: its norm and MLP work on each patch alone, and the anchors stay."""
        if self.formulation == "paper":
            return Routed(self.norm(patches + self.enhancer(patches)), anchors, None)
        patches = self.norm(patches)
        return Routed(patches + self.enhancer(patches), anchors, None)
