"""MiCo: multiple-instance learning with context-aware clustering (MICCAI 2025, arXiv 2506.18028)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from models.attention_pool import GatedAttentionPool
from models.bag_model import BagInput, BagModel
from models.cluster_reducer import ClusterReducer, remaining_anchors
from models.cluster_route import ContextEnhancer, PaperRoute, ReleasedRoute
from models.context_aware_clustering import ContextAwareClustering
from models.kernels.dropout import Dropout
from models.kernels.layer_norm import WideLayerNorm
from models.kernels.row_blocks import BLOCK_ROWS
from models.mico_in_blocks import Steps, aggregate_in_blocks
from models.output import BagOutput

LEAKY_SLOPE = 0.01
SMALLEST_SCALE = 1e-30  # below, quotients of similarities leave float32


class MiCo(BagModel):
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
        formulation: form of the method; `released` is what the authors' code computes, `paper` the equations.
        n_anchors: K, divisible by `2 ** n_stages`.
        embed_dim: d, the width inside the model.
        n_stages: L, the number of context-aware clustering stages.
        dropout: rate of every dropout layer, at least 0 and below 1.
        similarity: of patch and anchor; `l2` is their negative distance, `dot` their product (released form only).
        assignment: of patches to anchors; `soft` is a share in each, `hard` the nearest one alone (released form only,
            since the paper form is always hard).
        ablate: parts to leave out. `anchors`: their initialisation, so that they start at random. `route`: Cluster
            Route, so that no context reaches the patches. `reducer`: Cluster Reducer, so that all K anchors pass every
            stage as they are, and enter the pooling.
        recompute_above: train on bags of more patches in blocks, which the backward pass computes again.

    Raises:
        ValueError: for a value outside of these.
    """

    def __init__(
        self,
        *,
        dim_in: int,
        n_outputs: int,
        formulation: Literal["released", "paper"] = "released",
        n_anchors: int = 64,
        embed_dim: int = 512,
        n_stages: int = 3,
        dropout: float = 0.05,
        similarity: Literal["l2", "dot"] = "l2",
        assignment: Literal["soft", "hard"] = "soft",
        ablate: Sequence[Literal["anchors", "route", "reducer"]] = (),
        recompute_above: int = 50_000,
    ) -> None:
        super().__init__(dim_in, needs_patches=False)  # a case without patches is its remaining anchors
        self.check_choices(formulation=formulation, similarity=similarity, assignment=assignment, ablate=ablate)
        if formulation == "paper" and (similarity, assignment) != ("l2", "soft"):
            raise ValueError("got a similarity or assignment with the paper form, which fixes both (Eqs. 1 and 2)")
        if n_stages < 1 or n_anchors < 1 or n_anchors % 2**n_stages:
            raise ValueError(
                f"got {n_anchors} anchors for {n_stages} stages, each of which halves them: "
                f"expected a multiple of {2 ** max(n_stages, 1)}"
            )
        self.n_anchors, self.n_stages = n_anchors, n_stages
        self.formulation, self.similarity, self.assignment = formulation, similarity, assignment
        self.ablate = tuple(ablate)
        self.block_rows, self.recompute_above = BLOCK_ROWS, recompute_above

        self.cluster_centers = nn.Parameter(torch.randn(n_anchors, dim_in))
        self.patch_feature_projector = nn.Sequential(nn.Linear(dim_in, embed_dim), nn.LeakyReLU(LEAKY_SLOPE, True))
        self.cluster_center_projector = nn.Sequential(nn.Linear(dim_in, embed_dim), nn.LeakyReLU(LEAKY_SLOPE, True))
        self.context_enhancers = nn.ModuleList(ContextEnhancer(embed_dim, dropout) for _ in range(n_stages))
        self.enhancer_norm_layers = nn.ModuleList(WideLayerNorm(embed_dim) for _ in range(n_stages))
        self.cluster_reducers = nn.ModuleList(
            nn.Identity() if "reducer" in ablate else ClusterReducer(n_anchors // 2**stage) for stage in range(n_stages)
        )
        self.feature_processor = _linear_relu_dropout(embed_dim, dropout)
        self.aggregation_norm_layer = WideLayerNorm(embed_dim)
        self.attention_network = GatedAttentionPool(embed_dim, dropout)
        self.final_projector = _linear_relu_dropout(embed_dim, dropout)
        self.classifier = nn.Linear(embed_dim, n_outputs)
        self.similarity_scale = nn.Parameter(torch.ones(1))
        self.similarity_bias = nn.Parameter(torch.zeros(1))  # in every released state dict, never used there either

    def aggregate(self, bags: BagInput) -> BagOutput:
        """The method, a line a step; a bag that is too large goes through the same steps in blocks. No positions used.

        Raises:
            ValueError: for slide anchors of another shape than (n_slides, K, D), or with the ablation of anchors.
        """
        if len(bags.raw) > self._rows_at_once():
            return aggregate_in_blocks(bags, self._steps(bags))

        slides = bags.slides
        patches = self.patch_feature_projector(bags.features())  # (N, d)
        anchors = self.cluster_center_projector(self._anchors_of(bags))  # (K, d), or (n_slides, K, d)
        chosen = []
        for cluster_route, cluster_reducer in self.stages():
            assignment = cluster_route.choose(patches, anchors, slides)  # (N, K_l): Eqs. 1, 2; released form: softmax
            anchors = cluster_route.move(anchors, assignment, patches, slides)  # (n_slides, K_l, d): Eq. 3; or unmoved
            patches = cluster_route(patches, assignment, anchors, slides)  # (N, d): Eq. 4
            anchors = cluster_reducer(anchors)  # (K_l / 2, d), or (n_slides, K_l / 2, d): Eq. 5
            chosen += [] if assignment is None else [assignment.chosen]

        remaining, case_of_anchor = remaining_anchors(anchors, bags.case_index)  # (n_slides K / 2^L, d)
        rows = torch.cat([patches, remaining.to(patches.dtype)])  # (N + n_slides K / 2^L, d)
        case_of_row = torch.cat([bags.cases.index, case_of_anchor])  # (N + n_slides K / 2^L,)
        z = self.aggregation_norm_layer(self.feature_processor(rows))  # (N + n_slides K / 2^L, d)
        pooled, attention = self.attention_network(z, case_of_row, bags.n_cases)  # (B, d), (N + n_slides K / 2^L,)
        logits = self.classifier(self.final_projector(pooled))  # (B, C)
        stages = torch.stack(chosen, dim=1) if chosen else None  # (N, L)
        first = chosen[0] if chosen else None  # (N,)
        return BagOutput(logits, attention[: len(patches)], first, stage_assignment=stages)

    def stages(self) -> list[ContextAwareClustering]:
        """The L context-aware clustering stages: views of the layers that belong to each."""
        layers = zip(self.context_enhancers, self.enhancer_norm_layers, self.cluster_reducers, strict=True)
        return [ContextAwareClustering(self._route(mlp, norm), reducer) for mlp, norm, reducer in layers]

    def _route(self, mlp: nn.Module, norm: nn.Module) -> PaperRoute | ReleasedRoute:
        context = "route" not in self.ablate
        if self.formulation == "paper":
            return PaperRoute(mlp, norm, context)
        is_hard = self.assignment == "hard"
        return ReleasedRoute(mlp, norm, self.similarity, is_hard, self.similarity_scale, context)

    def _anchors_of(self, bags: BagInput) -> Tensor:
        """The learnable anchors of the data set (K, D), or each slide's own (n_slides, K, D)."""
        if bags.anchors is None:
            return self.cluster_centers
        if "anchors" in self.ablate:
            raise ValueError("got slide anchors for a model without anchor initialisation")
        expected = (bags.n_slides, self.n_anchors, self.dim_in)
        if bags.anchors.shape != expected:
            raise ValueError(f"got slide anchors of shape {tuple(bags.anchors.shape)}, expected {expected}")
        return bags.anchors

    def _rows_at_once(self) -> int:
        """The largest bag that is not cut into blocks."""
        return self.recompute_above if torch.is_grad_enabled() else self.block_rows

    def _steps(self, bags: BagInput) -> Steps:
        """The method for `aggregate_in_blocks`, which has the order of the steps over the blocks."""
        return Steps(
            project=lambda rows: self.patch_feature_projector(bags.features(rows)),
            anchors=self.cluster_center_projector(self._anchors_of(bags)),
            stages=self.stages(),
            normalise=lambda rows: self.aggregation_norm_layer(self.feature_processor(rows)),
            score=self.attention_network.score,
            classify=lambda pooled: self.classifier(self.final_projector(pooled)),
            block_rows=self.block_rows,
            # In the paper form embeddings are used twice, since they move the anchors. They are held where they are
            # few, and while dropout would draw them anew.
            hold_embeddings=self.formulation == "paper" and (self.training or len(bags.raw) <= self.recompute_above),
        )

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

    def check_weights(self) -> None:
        """The released form divides by `similarity_scale`; what it has learned may be 0, or as good as that."""
        divides = self.formulation == "released" and "route" not in self.ablate
        if divides and self.similarity_scale.abs().item() < SMALLEST_SCALE:
            raise ValueError(
                f"similarity_scale, which similarities are divided by, is {self.similarity_scale.item():g}"
            )

    def load_released_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Load a state dict of the authors' code, whose keys may have `model.` before them.

        Raises:
            RuntimeError: naming the parameters that are missing, left over, or of another shape.
        """
        prefix = "model."
        self.load_state_dict({name.removeprefix(prefix): value for name, value in state.items()}, strict=True)


def _linear_relu_dropout(embed_dim: int, dropout: float) -> nn.Sequential:
    """Linear(d, d), ReLU, Dropout; the last two commute, and in this order one tensor serves both, not two."""
    return nn.Sequential(nn.Linear(embed_dim, embed_dim), Dropout(dropout, inplace=True), nn.ReLU(inplace=True))
