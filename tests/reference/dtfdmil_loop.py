"""DTFD-MIL written a second time for one case: Python loops over pseudo-bags and patches."""

from __future__ import annotations

import torch
from torch import Tensor

from tests.reference.mico_loop import linear, relu


def dtfdmil_case(p: dict[str, Tensor], features: Tensor, pseudo_bags: list[list[int]]) -> tuple[Tensor, Tensor, Tensor]:
    """For given pseudo-bags of patch numbers: logits of tier 1 (P, C) and of tier 2 (C,), and the attention (M,).

    Tier 2 does not train tier 1: it takes the embeddings of the pseudo-bags as data.
    """
    patches = [relu(linear(p, "projector.0", x)) for x in features]
    distilled, tier_1 = [], []
    attention = [torch.zeros(()) for _ in patches]
    for members in pseudo_bags:
        pooled, weights = gated_attention(p, "attention_pool", [patches[m] for m in members])
        distilled.append(pooled)
        tier_1.append(linear(p, "classifier", pooled))
        for m, weight in zip(members, weights, strict=True):
            attention[m] = weight
    pooled, weights = gated_attention(p, "second_attention_pool", [e.detach() for e in distilled])
    for members, weight in zip(pseudo_bags, weights, strict=True):
        for m in members:
            attention[m] = attention[m] * weight
    return torch.stack(tier_1), linear(p, "second_classifier", pooled), torch.stack(attention)


def gated_attention(p: dict[str, Tensor], name: str, rows: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """The weighted sum of the rows and their weights."""
    scores = []
    for row in rows:
        v = torch.tanh(linear(p, f"{name}.feature_transform.0", row))
        u = torch.sigmoid(linear(p, f"{name}.attention_gate.0", row))
        scores.append(linear(p, f"{name}.attention_scorer", v * u)[0])
    total = sum(torch.exp(s) for s in scores)
    weights = [torch.exp(s) / total for s in scores]
    return sum(w * row for w, row in zip(weights, rows, strict=True)), weights
