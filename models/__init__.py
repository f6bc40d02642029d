"""Multiple-instance models: tensors to logits, one call signature for all of them.

A new model is one file and one line in `MODELS`. Its `forward` takes `(features, slide_index, case_index, anchors=None,
coords=None)`, described in `models.output`, and returns a `BagOutput`.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from models.baselines.abmil import ABMIL
from models.baselines.clam_sb import CLAMSB
from models.baselines.deepgraphconv import DeepGraphConv
from models.baselines.dsmil import DSMIL
from models.baselines.dtfdmil import DTFDMIL
from models.baselines.max_pool import MaxPool
from models.baselines.mean_pool import MeanPool
from models.baselines.patchgcn import PatchGCN
from models.baselines.transmil import TransMIL
from models.mico import MiCo

__all__ = ["GRAPH_MODELS", "MODELS", "MiCo", "build_model"]

GRAPH_MODELS: dict[str, type[nn.Module]] = {"patchgcn": PatchGCN, "deepgraphconv": DeepGraphConv}
MODELS: dict[str, type[nn.Module]] = {
    "mico": MiCo,
    "meanpool": MeanPool,
    "maxpool": MaxPool,
    "abmil": ABMIL,
    "clam_sb": CLAMSB,
    "dsmil": DSMIL,
    "transmil": TransMIL,
    "dtfdmil": DTFDMIL,
    **GRAPH_MODELS,
}


def build_model(
    name: str,
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
    graph: str = "coords",
) -> nn.Module:
    """Build a model of the registry with fresh parameters (drawn from torch's global generator).

    One call serves all models: what a model does not have (anchors, a graph) is not looked at.

    Args:
        name: a key of `MODELS`.
        dim_in: D, the width of the patch features.
        n_outputs: C, the number of classes, or of survival bins.
        formulation: `released` or `paper` (MiCo).
        n_anchors: K, the number of anchors; divisible by `2 ** n_stages` (MiCo).
        embed_dim: d, the width inside the model.
        n_stages: L, the number of context-aware clustering stages (MiCo).
        dropout: rate of every dropout layer.
        similarity: `l2` or `dot`, for the released form (MiCo).
        assignment: `soft` or `hard`, for the released form (MiCo).
        ablate: parts to leave out, of `anchors`, `route` and `reducer` (MiCo).
        graph: neighbours of a patch by `coords` or by `features` (models of `GRAPH_MODELS`).

    Raises:
        ValueError: for an unknown name, or values that the model cannot have.
    """
    if name not in MODELS:
        raise ValueError(f"got model '{name}', expected one of: {', '.join(sorted(MODELS))}")
    if embed_dim < 1:
        raise ValueError(f"got embed_dim {embed_dim}, expected 1 or more")
    if name in GRAPH_MODELS:
        return MODELS[name](dim_in=dim_in, n_outputs=n_outputs, embed_dim=embed_dim, dropout=dropout, graph=graph)
    if name != "mico":
        return MODELS[name](dim_in=dim_in, n_outputs=n_outputs, embed_dim=embed_dim, dropout=dropout)
    return MiCo(
        dim_in=dim_in,
        n_outputs=n_outputs,
        formulation=formulation,
        n_anchors=n_anchors,
        embed_dim=embed_dim,
        n_stages=n_stages,
        dropout=dropout,
        similarity=similarity,
        assignment=assignment,
        ablate=ablate,
    )
