"""MiCo: multiple-instance learning with context-aware clustering (MICCAI 2025, arXiv 2506.18028)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from models.attention_pool import GatedAttentionPool
from models.cluster_reducer import ClusterReducer
from models.cluster_route import ASSIGNMENTS, SIMILARITIES, ClusterRoute, ContextEnhancer
from models.context_aware_clustering import ContextAwareClustering
from models.output import BagOutput, check_inputs, check_slide_anchors
from models.segment_ops import Segments

FORMULATIONS = ("released", "paper")
ABLATIONS = ("anchors", "route", "reducer")
LEAKY_SLOPE = 0.01


class MiCo(nn.Module):
    """The MiCo aggregator: L context-aware clustering stages, then gated attention over patches and remaining anchors.

    Two forms of one method from the same parameters: `released`, what the authors' code computes, and `paper`, the
    equations of the paper; `docs/paper_map.md` lists where they differ. The attributes carry the names of the released
    state dict, so that weights move between the authors' code, this model and both forms as they are.

    With data-set anchors `cluster_centers` is learned, from the k-means centroids given to `initialise_anchors`; left
    alone it is standard normal (the ablation "without anchor initialisation"). Slide anchors are an input of `forward`,
    in the place of `cluster_centers`.

    Args:
        dim_in: D, the width of the patch features.
        n_outputs: C, the number of logits.
        formulation: `released` or `paper`.
        n_anchors: K, divisible by `2 ** n_stages`.
        embed_dim: d.
        n_stages: L.
        dropout: rate of every dropout layer.
        similarity: `l2` or `dot` (released form only).
        assignment: `soft` or `hard` (released form only; the paper form is always hard).
        ablate: parts to leave out, of `ABLATIONS`. `anchors`: `cluster_centers` keeps its random start. `route`: no
            context reaches the patches. `reducer`: all K anchors pass every stage as they are, and enter the pooling.

    Raises:
        ValueError: for a value outside of these.
    """

    def __init__(
        self,
        *,
        dim_in: int,
        n_outputs: int,
        formulation: str = "released",
        n_anchors: int = 64,
        embed_dim: int = 512,
        n_stages: int = 3,
        dropout: float = 0.05,
        similarity: str = "l2",
        assignment: str = "soft",
        ablate: Sequence[str] = (),
    ) -> None:
        super().__init__()
        _check_choice("formulation", formulation, FORMULATIONS)
        _check_choice("similarity", similarity, tuple(SIMILARITIES))
        _check_choice("assignment", assignment, ASSIGNMENTS)
        for part in ablate:
            _check_choice("ablation", part, ABLATIONS)
        if formulation == "paper" and (similarity, assignment) != ("l2", "soft"):
            raise ValueError("got a similarity or assignment with the paper form, which fixes both (Eqs. 1 and 2)")
        if n_stages < 1 or n_anchors < 1 or n_anchors % 2**n_stages:
            raise ValueError(
                f"got {n_anchors} anchors for {n_stages} stages, each of which halves them: "
                f"expected a multiple of {2 ** max(n_stages, 1)}"
            )
        self.dim_in, self.n_anchors, self.n_stages = dim_in, n_anchors, n_stages
        self.formulation, self.similarity, self.assignment = formulation, similarity, assignment
        self.ablate = tuple(ablate)

        self.cluster_centers = nn.Parameter(torch.randn(n_anchors, dim_in))
        self.patch_feature_projector = nn.Sequential(nn.Linear(dim_in, embed_dim), nn.LeakyReLU(LEAKY_SLOPE))
        self.cluster_center_projector = nn.Sequential(nn.Linear(dim_in, embed_dim), nn.LeakyReLU(LEAKY_SLOPE))
        self.context_enhancers = nn.ModuleList(ContextEnhancer(embed_dim, dropout) for _ in range(n_stages))
        self.enhancer_norm_layers = nn.ModuleList(nn.LayerNorm(embed_dim) for _ in range(n_stages))
        self.cluster_reducers = nn.ModuleList(
            nn.Identity() if "reducer" in ablate else ClusterReducer(n_anchors // 2**stage) for stage in range(n_stages)
        )
        self.feature_processor = nn.Sequential(nn.Linear(embed_dim, embed_dim), nn.ReLU(), nn.Dropout(dropout))
        self.aggregation_norm_layer = nn.LayerNorm(embed_dim)
        self.attention_network = GatedAttentionPool(embed_dim, dropout)
        self.final_projector = nn.Sequential(nn.Linear(embed_dim, embed_dim), nn.ReLU(), nn.Dropout(dropout))
        self.classifier = nn.Linear(embed_dim, n_outputs)
        self.similarity_scale = nn.Parameter(torch.ones(1))
        self.similarity_bias = nn.Parameter(torch.zeros(1))  # in every released state dict, never used there either

    def stage(self, index: int) -> ContextAwareClustering:
        """The context-aware clustering stage `index`, a view of the layers that belong to it."""
        route = ClusterRoute(
            formulation=self.formulation,
            similarity=self.similarity,
            assignment=self.assignment,
            similarity_scale=self.similarity_scale,
            enhancer=self.context_enhancers[index],
            norm=self.enhancer_norm_layers[index],
            context="route" not in self.ablate,
        )
        return ContextAwareClustering(route, self.cluster_reducers[index])

    def forward(
        self,
        features: Tensor,
        slide_index: Tensor,
        case_index: Tensor,
        anchors: Tensor | None = None,
        coords: Tensor | None = None,
    ) -> BagOutput:
        """Map a ragged batch of B cases to logits; `models.output` describes the arguments. Positions are not used.

        Raises:
            ValueError: for shapes that do not belong together.
        """
        check_inputs(features, slide_index, case_index, self.dim_in)
        check_slide_anchors(anchors, case_index.numel(), self.n_anchors, self.dim_in)
        if anchors is not None and "anchors" in self.ablate:
            raise ValueError("got slide anchors for a model without anchor initialisation")
        slides = Segments.from_index(slide_index, case_index.numel())

        patches = self.patch_feature_projector(features)  # (N, d)
        anchors = self.cluster_center_projector(self.cluster_centers if anchors is None else anchors)  # (..., K, d)

        assignments = []
        for index in range(self.n_stages):
            patches, anchors, assignment = self.stage(index)(patches, anchors, slides)  # (N, d), (..., K / 2^l, d)
            assignments.append(assignment)

        logits, attention = self._pool(patches, anchors, slide_index, case_index)
        return BagOutput(logits, attention[: len(features)], assignments[0])

    def _pool(self, patches: Tensor, anchors: Tensor, slide_index: Tensor, case_index: Tensor) -> tuple[Tensor, Tensor]:
        """Gated attention over a case's patches and its slides' remaining anchors, then the head.

        Each slide brings its own copy of the remaining anchors. Every step before the softmax works row by row, so the
        order of the rows within a case is free: all patches first, then all anchors.
        """
        n_slides, embed_dim = case_index.numel(), patches.size(1)
        anchors = anchors.expand(n_slides, -1, -1)  # (n_slides, K / 2^L, d)
        rows = torch.cat([patches, anchors.reshape(-1, embed_dim).to(patches.dtype)])  # (R, d)
        case_of_row = torch.cat([case_index[slide_index], case_index.repeat_interleave(anchors.size(1))])  # (R,)
        z = self.aggregation_norm_layer(self.feature_processor(rows))
        n_cases = int(case_index[-1]) + 1
        pooled, attention = self.attention_network(z, case_of_row, n_cases)  # (B, d), (R,)
        return self.classifier(self.final_projector(pooled)), attention

    @torch.no_grad()
    def initialise_anchors(self, anchors: Tensor) -> None:
        """Start the learnable data-set anchors at k-means centroids (K, D).

        Raises:
            ValueError: for another shape, or with the ablation of just that.
        """
        if "anchors" in self.ablate:
            raise ValueError("got anchors for a model without anchor initialisation")
        if anchors.shape != self.cluster_centers.shape:
            expected = tuple(self.cluster_centers.shape)
            raise ValueError(f"got anchors of shape {tuple(anchors.shape)}, expected {expected}")
        self.cluster_centers.copy_(anchors)

    def load_released_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Load a state dict of the authors' code, whose keys may have `model.` before them.

        Raises:
            RuntimeError: naming the parameters that are missing, left over, or of another shape.
        """
        prefix = "model."
        self.load_state_dict({name.removeprefix(prefix): value for name, value in state.items()}, strict=True)


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"got {name} '{value}', expected one of: {', '.join(choices)}")
