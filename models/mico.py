"""MiCo: multiple-instance learning with context-aware clustering (MICCAI 2025, arXiv 2506.18028)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.attention_pool import GatedAttentionPool, Pooled, attention_of, merge_pooled, no_rows, pool_rows
from models.cluster_reducer import ClusterReducer
from models.cluster_route import ASSIGNMENTS, ClusterRoute, ContextEnhancer, Routed
from models.context_aware_clustering import BlockRows, ContextAwareClustering
from models.kernels.fused_layers import LinearReLUDropout, in_compute_type
from models.kernels.row_blocks import BLOCK_ROWS, RECOMPUTE_ABOVE, Evaluation, RowValues, blocks_of
from models.kernels.segment_ops import Segments
from models.kernels.similarity import SIMILARITIES, wide
from models.output import BagOutput, check_inputs, check_slide_anchors

FORMULATIONS = ("released", "paper")
ABLATIONS = ("anchors", "route", "reducer")
LEAKY_SLOPE = 0.01


class Remaining(NamedTuple):
    """The anchors that the last stage leaves: of all slides (n_slides K / 2^L, d), and the case of each."""

    anchors: Tensor
    case: Tensor


class PooledBlock(NamedTuple):
    """A block of n patches after gated attention: pooled by case, its scores (n,) and assignment (n, L)."""

    pooled: Pooled
    score: Tensor
    assignment: Tensor | None


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
        self.block_rows, self.recompute_above = BLOCK_ROWS, RECOMPUTE_ABOVE

        self.cluster_centers = nn.Parameter(torch.randn(n_anchors, dim_in))
        self.patch_feature_projector = nn.Sequential(nn.Linear(dim_in, embed_dim), nn.LeakyReLU(LEAKY_SLOPE, True))
        self.cluster_center_projector = nn.Sequential(nn.Linear(dim_in, embed_dim), nn.LeakyReLU(LEAKY_SLOPE, True))
        self.context_enhancers = nn.ModuleList(ContextEnhancer(embed_dim, dropout) for _ in range(n_stages))
        self.enhancer_norm_layers = nn.ModuleList(nn.LayerNorm(embed_dim) for _ in range(n_stages))
        self.cluster_reducers = nn.ModuleList(
            nn.Identity() if "reducer" in ablate else ClusterReducer(n_anchors // 2**stage) for stage in range(n_stages)
        )
        self.feature_processor = LinearReLUDropout(embed_dim, embed_dim, dropout)
        self.aggregation_norm_layer = nn.LayerNorm(embed_dim)
        self.attention_network = GatedAttentionPool(embed_dim, dropout)
        self.final_projector = LinearReLUDropout(embed_dim, embed_dim, dropout)
        self.classifier = nn.Linear(embed_dim, n_outputs)
        self.similarity_scale = nn.Parameter(torch.ones(1))
        self.similarity_bias = nn.Parameter(torch.zeros(1))  # in every released state dict, never used there either

    @property
    def dtype(self) -> torch.dtype:
        """The type of the parameters."""
        return self.classifier.weight.dtype

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
        *,
        scale: Callable[[Tensor], Tensor] | None = None,
    ) -> BagOutput:
        """Map a ragged batch of B cases to logits; `models.output` describes the arguments. Positions are not used.

        Features may be of any floating-point type: they are scaled and widened block by block
        (`models.kernels.row_blocks`).

        `scale` maps rows of the features to what the anchors were fitted on; None leaves them as they are.

        Raises:
            ValueError: for shapes that do not belong together.
        """
        check_inputs(features, slide_index, case_index, self.dim_in)
        check_slide_anchors(anchors, case_index.numel(), self.n_anchors, self.dim_in)
        if anchors is not None and "anchors" in self.ablate:
            raise ValueError("got slide anchors for a model without anchor initialisation")
        n_slides = case_index.numel()
        blocks = blocks_of(Segments.from_index(slide_index, n_slides), self._rows_of_a_block(len(features)))
        in_blocks, gradients = len(blocks) > 1, torch.is_grad_enabled()
        # In the paper form embeddings are used twice, since they move the anchors. They are held where they are few,
        # and while dropout would draw them anew.
        few = self.training or len(features) <= self.recompute_above
        evaluation = Evaluation(
            recompute=in_blocks and gradients, replay=in_blocks and not (self.formulation == "paper" and few)
        )

        patches = [evaluation.hold(partial(self._project, features[block.rows], scale)) for block in blocks]  # (n, d)
        anchors = self.cluster_center_projector(self.cluster_centers if anchors is None else anchors)  # (..., K, d)
        for index in range(self.n_stages):
            patches, anchors = self.stage(index)(patches, anchors, blocks, n_slides, evaluation)  # (..., K / 2^l, d)

        # Each slide brings its own copy of the remaining anchors; they are pooled with the last block.
        remaining = Remaining(
            anchors.expand(n_slides, -1, -1).flatten(0, 1), case_index.repeat_interleave(anchors.size(-2))
        )
        case_of_row, n_cases = case_index[slide_index], int(case_index[-1]) + 1  # (N,)
        scores, assignments = RowValues(len(features)), RowValues(len(features))
        pooled = no_rows(n_cases, self.classifier.in_features, self.classifier.weight)
        for rows, block in zip(patches, blocks, strict=True):
            with_anchors = remaining if block is blocks[-1] else None
            part = evaluation.run(partial(self._pool, rows, case_of_row[block.rows], n_cases, with_anchors))
            pooled = merge_pooled([pooled, part.pooled])
            scores.put(block, part.score)
            if part.assignment is not None:
                assignments.put(block, part.assignment)
        logits = self.classifier(self.final_projector(pooled.sums / pooled.totals.unsqueeze(1)))  # (B, C)
        attention = attention_of(scores.all(), case_of_row, pooled)  # (N,)
        stages = assignments.all() if assignments else None  # (N, L)
        return BagOutput(logits, attention, None if stages is None else stages[:, 0], stage_assignment=stages)

    def _rows_of_a_block(self, n_rows: int) -> int:
        """All rows in one block while training on bags of usual size, otherwise a bounded number."""
        if torch.is_grad_enabled() and n_rows <= self.recompute_above:
            return n_rows
        return self.block_rows

    def _project(self, features: Tensor, scale: Callable[[Tensor], Tensor] | None) -> Routed:
        """`LeakyReLU(Linear_p(H))` of a block of features, (n, D) to (n, d)."""
        rows = features if scale is None else scale(features)
        # Autocast takes 16 bits to 16 bits by itself.
        typed = in_compute_type(rows)[0] if torch.is_autocast_enabled(rows.device.type) else rows.to(self.dtype)
        return Routed(self.patch_feature_projector(typed))

    def _pool(self, patches: BlockRows, case_of_row: Tensor, n_cases: int, remaining: Remaining | None) -> PooledBlock:
        """Gated attention over a block's patches, and the remaining anchors, as far as it goes without other blocks.

        Every step before the softmax works row by row, so the order of the rows within a case is free.
        """
        rows, assignment = patches()
        n_patches = len(rows)
        if remaining is not None:
            rows = torch.cat([rows, remaining.anchors.to(rows.dtype)])  # (n + n_slides K / 2^L, d)
            case_of_row = torch.cat([case_of_row, remaining.case])
        z = self.aggregation_norm_layer(wide(self.feature_processor(rows)))
        score = self.attention_network.score(z)
        return PooledBlock(pool_rows(z, score, case_of_row, n_cases), score[:n_patches], assignment)

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
