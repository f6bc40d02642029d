"""Cluster Route: patches choose anchors, and receive the context of the anchor they chose (Eqs. 1 to 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.kernels.fused_layers import residual_mlp
from models.kernels.hard_assignment import chosen_context
from models.kernels.segment_ops import Segments
from models.kernels.similarity import SIMILARITIES, cosine_similarity, wide

ASSIGNMENTS = ("soft", "hard")


class ContextEnhancer(nn.Module):
    """The MLP of a stage: Linear(d, d), ReLU, Dropout, Linear(d, d), Dropout."""

    def __init__(self, embed_dim: int, dropout: float) -> None:
        super().__init__()
        self.fc1 = nn.Linear(embed_dim, embed_dim)
        self.fc2 = nn.Linear(embed_dim, embed_dim)
        self.dropout = dropout

    def forward(self, x: Tensor, base: Tensor | None = None) -> Tensor:
        """`base + MLP(x)`, (N, d) to (N, d); base is x where it is not given."""
        return residual_mlp(x, self.fc1, self.fc2, self.dropout if self.training else 0.0, base)


class Routed(NamedTuple):
    """Patches on their way through the stages.

    Attributes:
        patches: (N, d).
        assignment: (N, l) int64, the anchor that each patch chose in each of the l stages so far; None before the
            first, and where patches choose none.
    """

    patches: Tensor
    assignment: Tensor | None = None


class Choice(NamedTuple):
    """The hard assignment of patches to anchors (Eq. 2).

    Attributes:
        affinity: A, (N, K), for the gradient; None where none is asked for.
        chosen: (N,) int64, `argmax_k A`.
    """

    affinity: Tensor | None
    chosen: Tensor


def choose_anchors(patches: Tensor, anchors: Tensor, slides: Segments) -> Choice:
    """The anchor of the highest cosine (Eqs. 1 and 2); (N, d) patches, (K, d) or (n_slides, K, d) anchors."""
    affinity = cosine_similarity(patches, anchors, slides)  # (N, K)
    return Choice(affinity if torch.is_grad_enabled() else None, affinity.argmax(dim=1))


def move_anchors(sums: Tensor, counts: Tensor, anchors: Tensor) -> Tensor:
    """`s~_k = sum_m Â(m, k) patch_m / N_k` with `N_k = sum_m Â(m, k)` (Eq. 3), over the patches of one slide.

    N_k is a count, through which no gradient flows. An anchor that no patch of a slide chose keeps its value there.

    Args:
        sums: (n_slides, K, d), see `models.kernels.hard_assignment.chosen_sums`.
        counts: (n_slides, K, 1), N_k.
        anchors: (K, d) or (n_slides, K, d).

    Returns:
        (n_slides, K, d): from here on every slide has its own anchors.
    """
    return torch.where(counts > 0, sums / counts.clamp(min=1), anchors)


@dataclass(frozen=True)
class ClusterRoute:
    """The way of context from anchors to patches in one stage, in both forms; the model owns the layers it uses.

    Attributes:
        formulation: `released` or `paper`.
        similarity: `l2` or `dot` (released).
        assignment: `soft` or `hard` (released).
        similarity_scale: (1,), one learnable scalar shared by all stages (released).
        enhancer: MLP_l.
        norm: LayerNorm_l, in float32 or wider: from 16 bits, torch 2.13 sums the gradients of its parameters in 16 bits
            on the CPU, and loses half of them over 4,000 rows.
        context: False is the ablation without Cluster Route: no context reaches the patches, nor patches the anchors.
    """

    formulation: str
    similarity: str
    assignment: str
    similarity_scale: Tensor
    enhancer: nn.Module
    norm: nn.Module
    context: bool = True

    @property
    def moves_anchors(self) -> bool:
        """Whether the slide's patches move its anchors (Eq. 3) before the anchors give context."""
        return self.formulation == "paper" and self.context

    def __call__(self, routed: Routed, anchors: Tensor, slides: Segments, choice: Choice | None = None) -> Routed:
        """Route patches (N, d) through anchors (K, d) or (n_slides, K, d).

        With `moves_anchors`, the anchors are the moved ones, and `choice` the assignment that moved them.
        """
        if choice is not None:
            patches, chosen = self._paper(routed.patches, anchors, slides, choice), choice.chosen
        elif not self.context:
            return Routed(self._without_context(routed.patches))
        else:
            patches, chosen = self._released(routed.patches, anchors, slides)
        stages = [] if routed.assignment is None else [routed.assignment]
        return Routed(patches, torch.cat([*stages, chosen.unsqueeze(1)], dim=1))

    def _released(self, patches: Tensor, anchors: Tensor, slides: Segments) -> tuple[Tensor, Tensor]:
        """Context from the anchors as they are.

        `A = softmax_k(similarity / similarity_scale)`, `patches = LayerNorm_l(patches + A anchors)`,
        `patches = patches + MLP_l(patches)`; the anchors do not depend on the patches.
        """
        similarity = SIMILARITIES[self.similarity](patches, anchors, slides)  # (N, K)
        affinity = torch.softmax(similarity / self.similarity_scale, dim=1)
        chosen = affinity.argmax(dim=1)  # (N,)
        if self.assignment == "hard":
            with_context = patches + chosen_context(affinity, chosen, anchors.to(patches.dtype), slides)  # (N, d)
        else:
            with_context = patches + slides.products(affinity, anchors)  # (N, d)
        return self.enhancer(self.norm(wide(with_context))), chosen

    def _paper(self, patches: Tensor, anchors: Tensor, slides: Segments, choice: Choice) -> Tensor:
        """Context from anchors that the slide's own patches have moved.

        `patch'_m = LayerNorm_l(patch_m + MLP_l(patch_m + sum_k Â(m, k) s~_k))` (Eq. 4, then Add & Norm of Fig. 1).
        """
        context = chosen_context(*choice, anchors.to(patches.dtype), slides)  # (N, d)
        return self.norm(wide(self.enhancer(patches + context, base=patches)))

    def _without_context(self, patches: Tensor) -> Tensor:
        """The stage with a context of zero: its norm and MLP work on each patch alone."""
        if self.formulation == "paper":
            return self.norm(wide(self.enhancer(patches, base=patches)))
        return self.enhancer(self.norm(wide(patches)))
