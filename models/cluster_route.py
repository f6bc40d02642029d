"""Cluster Route: patches choose anchors, move them, and receive their context (Eqs. 1 to 4), in both forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.kernels.dropout import Dropout
from models.kernels.segment_ops import Segments
from models.kernels.similarity import SIMILARITIES, cosine_similarity, wide


class ContextEnhancer(nn.Module):
    """The MLP of a stage: Linear(d, d), ReLU, Dropout, Linear(d, d), Dropout."""

    def __init__(self, embed_dim: int, dropout: float) -> None:
        super().__init__()
        self.fc1 = nn.Linear(embed_dim, embed_dim)
        self.fc2 = nn.Linear(embed_dim, embed_dim)
        self.dropout = Dropout(dropout, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """`MLP(x)`, (N, d) to (N, d). Dropout and ReLU commute, and in this order one tensor serves both, not two."""
        hidden = F.relu(self.dropout(self.fc1(x)), inplace=True)  # (N, d)
        return self.dropout(self.fc2(hidden))


class Assignment(NamedTuple):
    """How N patches are assigned to K anchors.

    Attributes:
        affinity: A, (N, K); None where the assignment is hard and no gradient is asked for.
        chosen: (N,) int64, `argmax_k A`.
        is_hard: whether a patch has the one anchor that it chose, or a share A(m, k) of each.
    """

    affinity: Tensor | None
    chosen: Tensor
    is_hard: bool

    def weights(self, n_anchors: int) -> Tensor:
        """A, or `Â = one-hot(argmax_k A) + A - stop_gradient(A)` (Eq. 2): the straight-through estimator; (N, K)."""
        if not self.is_hard and self.affinity is not None:
            return self.affinity
        kind = torch.float32 if self.affinity is None else self.affinity.dtype
        one_hot = torch.zeros(len(self.chosen), n_anchors, dtype=kind, device=self.chosen.device)
        one_hot.scatter_(1, self.chosen.unsqueeze(1), 1)
        return one_hot if self.affinity is None else one_hot + (self.affinity - self.affinity.detach())


def hard_assignment(affinity: Tensor) -> Assignment:
    """The assignment of each patch to the anchor of its highest affinity; (N, K)."""
    return Assignment(affinity if torch.is_grad_enabled() else None, affinity.argmax(dim=1), is_hard=True)


def context_of(assignment: Assignment | None, anchors: Tensor, slides: Segments) -> Tensor:
    """`sum_k Â(m, k) anchor_k`, (N, d), of anchors (K, d) or (n_slides, K, d); without an assignment it is 0."""
    if assignment is None:
        return anchors.new_zeros(())
    return slides.products(assignment.weights(anchors.size(-2)).to(anchors.dtype), anchors)


def chosen_sums(assignment: Assignment, patches: Tensor, n_anchors: int, slides: Segments) -> tuple[Tensor, Tensor]:
    """The two sums of Eq. 3 over the patches of each slide, in float32 or wider.

    Returns:
        `sum_m Â(m, k) patch_m`, (n_slides, K, d), and `N_k = sum_m Â(m, k)`, (n_slides, K, 1), whose value is a count
        and whose gradient is that of Â, as Eq. 3 is written.
    """
    with torch.autocast(patches.device.type, enabled=False):
        rows = wide(patches)
        weights = assignment.weights(n_anchors).to(rows.dtype)  # (N, K)
        counts = slides.weighted_sums(weights, rows.new_ones(len(rows), 1))  # (n_slides, K, 1)
        return slides.weighted_sums(weights, rows), counts


def move_anchors(sums: Tensor, counts: Tensor, anchors: Tensor) -> Tensor:
    """`s~_k = sum_m Â(m, k) patch_m / N_k` with `N_k = sum_m Â(m, k)` (Eq. 3), over the patches of one slide.

    An anchor that no patch of a slide chose keeps its value there.

    Args:
        sums: (n_slides, K, d), see `chosen_sums`.
        counts: (n_slides, K, 1), N_k.
        anchors: (K, d) or (n_slides, K, d).

    Returns:
        (n_slides, K, d): from here on every slide has its own anchors.
    """
    return torch.where(counts > 0, sums / counts.clamp(min=1), anchors)


@dataclass(frozen=True)
class PaperRoute:
    """Cluster Route as the paper writes it: the patches of a slide move its anchors before they receive context.

    Attributes:
        mlp: MLP_l.
        norm: LayerNorm_l.
        context: False is the ablation without Cluster Route: no context reaches the patches, nor patches the anchors.
    """

    mlp: nn.Module
    norm: nn.Module
    context: bool = True

    @property
    def moves_anchors(self) -> bool:
        """Whether the patches of a slide move its anchors."""
        return self.context

    def choose(self, patches: Tensor, anchors: Tensor, slides: Segments) -> Assignment | None:
        """`A(m, k) = cosine(patch_m, anchor_k)` (Eq. 1), and its straight-through one-hot Â (Eq. 2)."""
        return hard_assignment(cosine_similarity(patches, anchors, slides)) if self.context else None

    def move(self, anchors: Tensor, assignment: Assignment | None, patches: Tensor, slides: Segments) -> Tensor:
        """`s~_k = sum_m Â(m, k) patch_m / N_k` (Eq. 3); (n_slides, K, d)."""
        if assignment is None:
            return anchors
        sums, counts = chosen_sums(assignment, patches, anchors.size(-2), slides)  # (n_slides, K, d), N_k
        return move_anchors(sums, counts, anchors)

    def __call__(self, patches: Tensor, assignment: Assignment | None, anchors: Tensor, slides: Segments) -> Tensor:
        """`patch'_m = LayerNorm_l(patch_m + MLP_l(patch_m + sum_k Â(m, k) s~_k))` (Eq. 4, Add & Norm of Fig. 1)."""
        context = context_of(assignment, anchors, slides)  # (N, d)
        return self.norm(patches + self.mlp(patches + context))


@dataclass(frozen=True)
class ReleasedRoute:
    """Cluster Route as the authors' code has it: anchors give context as they are, and do not move.

    Attributes:
        mlp: MLP_l.
        norm: LayerNorm_l.
        similarity: `l2` or `dot`.
        is_hard: one-hot assignment with the gradient of the soft one.
        similarity_scale: (1,), one learnable scalar shared by all stages.
        context: False is the ablation without Cluster Route: no context reaches the patches.
    """

    mlp: nn.Module
    norm: nn.Module
    similarity: str
    is_hard: bool
    similarity_scale: Tensor
    context: bool = True
    moves_anchors: bool = False

    def choose(self, patches: Tensor, anchors: Tensor, slides: Segments) -> Assignment | None:
        """`A = softmax_k(similarity(m, k) / similarity_scale)`, in the place of Eqs. 1 and 2."""
        if not self.context:
            return None
        similarity = SIMILARITIES[self.similarity](patches, anchors, slides)  # (N, K)
        affinity = torch.softmax(similarity / self.similarity_scale, dim=1)
        return hard_assignment(affinity) if self.is_hard else Assignment(affinity, affinity.argmax(dim=1), False)

    def move(self, anchors: Tensor, assignment: Assignment | None, patches: Tensor, slides: Segments) -> Tensor:
        """The anchors as they are: there is no Eq. 3 in this form."""
        return anchors

    def __call__(self, patches: Tensor, assignment: Assignment | None, anchors: Tensor, slides: Segments) -> Tensor:
        """`x_m = LayerNorm_l(patch_m + sum_k A(m, k) anchor_k)`, `patch'_m = x_m + MLP_l(x_m)`, instead of Eq. 4."""
        x = self.norm(patches + context_of(assignment, anchors, slides))  # (N, d)
        return x + self.mlp(x)
