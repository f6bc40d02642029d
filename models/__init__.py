"""Multiple-instance models: tensors to logits, one call signature for all of them.

A new model is one file and one line in `MODELS`. Its `forward` takes `(features, slide_index, case_index, anchors=None,
coords=None)`, described in `models.output`, and returns a `BagOutput`.
"""

from __future__ import annotations

from torch import nn

from models.mico import MiCo

__all__ = ["MODELS", "MiCo", "build_model"]

MODELS: dict[str, type[nn.Module]] = {"mico": MiCo}


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
) -> nn.Module:
    """Build a model of the registry with fresh parameters (drawn from torch's global generator).

    Args:
        name: a key of `MODELS`.
        dim_in: D, the width of the patch features.
        n_outputs: C, the number of classes, or of survival bins.
        formulation: `released` or `paper`.
        n_anchors: K, the number of anchors; divisible by `2 ** n_stages`.
        embed_dim: d, the width inside the model.
        n_stages: L, the number of context-aware clustering stages.
        dropout: rate of every dropout layer.
        similarity: `l2` or `dot`, for the released form.
        assignment: `soft` or `hard`, for the released form.

    Raises:
        ValueError: for an unknown name, or values that the model cannot have.
    """
    if name not in MODELS:
        raise ValueError(f"got model '{name}', expected one of: {', '.join(sorted(MODELS))}")
    return MODELS[name](
        dim_in=dim_in,
        n_outputs=n_outputs,
        formulation=formulation,
        n_anchors=n_anchors,
        embed_dim=embed_dim,
        n_stages=n_stages,
        dropout=dropout,
        similarity=similarity,
        assignment=assignment,
    )
