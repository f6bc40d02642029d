"""MiCo written a second time: Python loops over patches and anchors, straight from the equations, no layer reused.

Slow on purpose. It takes the parameters by their released names and works in the precision of its inputs (float64 in
the tests), with autograd for the gradients.
"""

from __future__ import annotations

import torch
from torch import Tensor

EPS_LAYER_NORM = 1e-5


def linear(p: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return p[f"{name}.weight"] @ x + p[f"{name}.bias"]


def leaky_relu(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.01 * x)


def relu(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, torch.zeros_like(x))


def layer_norm(p: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    mean = x.sum() / len(x)
    variance = ((x - mean) ** 2).sum() / len(x)
    return (x - mean) / torch.sqrt(variance + EPS_LAYER_NORM) * p[f"{name}.weight"] + p[f"{name}.bias"]


def mlp(p: dict[str, Tensor], stage: int, x: Tensor) -> Tensor:
    return linear(p, f"context_enhancers.{stage}.fc2", relu(linear(p, f"context_enhancers.{stage}.fc1", x)))


def reduce_anchors(p: dict[str, Tensor], stage: int, anchors: list[Tensor]) -> list[Tensor]:
    stacked = torch.stack(anchors)  # (K, d)
    columns = []
    for feature in range(stacked.size(1)):
        hidden = relu(linear(p, f"cluster_reducers.{stage}.fc1", stacked[:, feature]))
        columns.append(linear(p, f"cluster_reducers.{stage}.fc2", hidden))  # (K / 2,)
    return list(torch.stack(columns, dim=1))


def one_hot_straight_through(affinity: Tensor) -> Tensor:
    one_hot = torch.zeros_like(affinity)
    one_hot[int(affinity.argmax())] = 1
    return one_hot + (affinity - affinity.detach())


def released_stage(
    p: dict[str, Tensor], stage: int, patches: list[Tensor], anchors: list[Tensor], similarity: str, assignment: str
) -> tuple[list[Tensor], list[Tensor]]:
    out = []
    for patch in patches:
        scores = []
        for anchor in anchors:
            if similarity == "l2":
                scores.append(-torch.sqrt(((patch - anchor) ** 2).sum()))
            else:
                scores.append((patch * anchor).sum())
        exponentials = torch.exp(torch.stack(scores) / p["similarity_scale"])
        affinity = exponentials / exponentials.sum()
        if assignment == "hard":
            affinity = one_hot_straight_through(affinity)
        context = sum(a * anchor for a, anchor in zip(affinity, anchors, strict=True))
        routed = layer_norm(p, f"enhancer_norm_layers.{stage}", patch + context)
        out.append(routed + mlp(p, stage, routed))
    return out, reduce_anchors(p, stage, anchors)


def paper_stage(
    p: dict[str, Tensor], stage: int, patches: list[Tensor], anchors: list[Tensor]
) -> tuple[list[Tensor], list[Tensor]]:
    assignment = []  # Â(m, k)
    for patch in patches:
        cosines = [
            (patch * anchor).sum() / (torch.sqrt((patch**2).sum()) * torch.sqrt((anchor**2).sum()))
            for anchor in anchors
        ]
        assignment.append(one_hot_straight_through(torch.stack(cosines)))
    moved = []  # s~_k
    for k, anchor in enumerate(anchors):
        count = sum(row[k] for row in assignment)  # N_k, with the gradient of Â
        if count.item() == 0:
            moved.append(anchor)
        else:
            moved.append(sum(row[k] * patch for row, patch in zip(assignment, patches, strict=True)) / count)
    out = []
    for row, patch in zip(assignment, patches, strict=True):
        context = sum(a * anchor for a, anchor in zip(row, moved, strict=True))
        out.append(layer_norm(p, f"enhancer_norm_layers.{stage}", patch + mlp(p, stage, patch + context)))
    return out, reduce_anchors(p, stage, moved)


def mico_case(
    p: dict[str, Tensor],
    slides: list[Tensor],
    *,
    formulation: str,
    similarity: str = "l2",
    assignment: str = "soft",
    slide_anchors: list[Tensor] | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """Logits (C,) of one case, and the attention of the patches of each slide."""
    n_stages = 1 + max(int(name.split(".")[1]) for name in p if name.startswith("cluster_reducers."))
    rows, n_patches = [], []
    for index, slide in enumerate(slides):
        start = p["cluster_centers"] if slide_anchors is None else slide_anchors[index]
        patches = [leaky_relu(linear(p, "patch_feature_projector.0", x)) for x in slide]
        anchors = [leaky_relu(linear(p, "cluster_center_projector.0", s)) for s in start]
        for stage in range(n_stages):
            if formulation == "paper":
                patches, anchors = paper_stage(p, stage, patches, anchors)
            else:
                patches, anchors = released_stage(p, stage, patches, anchors, similarity, assignment)
        rows += [relu(linear(p, "feature_processor.0", x)) for x in [*patches, *anchors]]
        n_patches.append((len(rows) - len(patches) - len(anchors), len(patches)))

    z = [layer_norm(p, "aggregation_norm_layer", row) for row in rows]
    scores = []
    for row in z:
        tanh = torch.tanh(linear(p, "attention_network.feature_transform.0", row))
        gate = 1 / (1 + torch.exp(-linear(p, "attention_network.attention_gate.0", row)))
        scores.append(linear(p, "attention_network.attention_scorer", tanh * gate))
    exponentials = torch.exp(torch.cat(scores))
    attention = exponentials / exponentials.sum()
    pooled = sum(a * row for a, row in zip(attention, z, strict=True))
    logits = linear(p, "classifier", relu(linear(p, "final_projector.0", pooled)))
    return logits, [attention[start : start + size] for start, size in n_patches]
