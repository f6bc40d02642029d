"""One stage of MiCo: Cluster Route, then Cluster Reducer."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from models.cluster_route import ClusterRoute, Routed
from models.segment_ops import Segments


@dataclass(frozen=True)
class ContextAwareClustering:
    """A context-aware clustering stage: patches take up context from K_l anchors, of which K_l / 2 go on."""

    route: ClusterRoute
    reducer: nn.Module

    def __call__(self, patches: Tensor, anchors: Tensor, slides: Segments) -> Routed:
        """Map patches (N, d) and anchors (K_l, d) or (n_slides, K_l, d) to (N, d) and (..., K_l / 2, d)."""
        routed = self.route(patches, anchors, slides)
        return routed._replace(anchors=self.reducer(routed.anchors))
