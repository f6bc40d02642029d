"""DSMIL written a second time for one case: Python loops over patches, classes and weights of the bag classifier."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tests.reference.mico_loop import linear, relu


def dsmil_case(p: dict[str, Tensor], features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The logits (C,) of the max stream and of the bag stream, and the attention A (M, C)."""
    patches = [relu(linear(p, "projector.0", x)) for x in features]
    scores = [linear(p, "instance_classifier", h) for h in patches]
    queries = [torch.tanh(linear(p, "query.2", relu(linear(p, "query.0", h)))) for h in patches]
    values = [relu(linear(p, "value.1", h)) for h in patches]

    n_classes = len(scores[0])
    maxima, columns, embeddings = [], [], []
    for c in range(n_classes):
        critical = max(range(len(patches)), key=lambda m: scores[m][c].item())
        maxima.append(scores[critical][c])
        similarity = [(q * queries[critical]).sum() / math.sqrt(len(q)) for q in queries]
        exponentials = [torch.exp(s) for s in similarity]
        weights = [e / sum(exponentials) for e in exponentials]
        columns.append(torch.stack(weights))
        embeddings.append(sum(w * v for w, v in zip(weights, values, strict=True)))

    bag = []
    for c in range(n_classes):
        out = p["bag_classifier.bias"][c]
        for other in range(n_classes):
            for i in range(len(embeddings[other])):
                out = out + p["bag_classifier.weight"][c, other, i] * embeddings[other][i]
        bag.append(out)
    return torch.stack(maxima), torch.stack(bag), torch.stack(columns, dim=1)
