"""One stage of MiCo: Cluster Route, then Cluster Reducer."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn

from models.cluster_route import PaperRoute, ReleasedRoute


class ContextAwareClustering(NamedTuple):
    """A context-aware clustering stage: patches take up context from K_l anchors, of which K_l / 2 go on.

    Both work through `MiCo.aggregate`, which has the steps of a stage one below the other.

    Attributes:
        cluster_route: choose (Eqs. 1 and 2), move (Eq. 3) and route (Eq. 4), in one of the two forms.
        cluster_reducer: reduce (Eq. 5); the identity in the ablation without Cluster Reducer.
    """

    cluster_route: PaperRoute | ReleasedRoute
    cluster_reducer: nn.Module
