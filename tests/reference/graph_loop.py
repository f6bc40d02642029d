"""Patch-GCN and DeepGraphConv written a second time: Python loops over patches and their neighbours, no layer reused.

Slow on purpose. It takes the parameters by their names and works in the precision of its inputs (float64 in the
tests), with autograd for the gradients.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tests.reference.mico_loop import layer_norm, linear, relu

K_NEIGHBOURS = 8
EPS_MESSAGE = 1e-7

Parameters = dict[str, Tensor]


def nearest(positions: list[list[float]], k: int = K_NEIGHBOURS) -> list[list[int]]:
    """The k nearest other points of each point, by distance, then coordinate by coordinate, then number."""
    out = []
    for i, here in enumerate(positions):
        ranked = [
            (sum((a - b) ** 2 for a, b in zip(here, there, strict=True)), there, j)
            for j, there in enumerate(positions)
            if j != i
        ]
        out.append([j for _, _, j in sorted(ranked)[:k]])
    return out


def gen_conv(p: Parameters, name: str, rows: list[Tensor], neighbours: list[list[int]]) -> list[Tensor]:
    out = []
    for own, others in zip(rows, neighbours, strict=True):
        columns = []
        for feature in range(len(own)):
            messages = [relu(rows[j][feature]) + EPS_MESSAGE for j in others]
            weights = [torch.exp(p[f"{name}.aggr_module.t"][0] * message) for message in messages]
            total = sum(w * message for w, message in zip(weights, messages, strict=True))
            columns.append(own[feature] + (total / sum(weights) if others else 0))
        hidden = layer_norm(p, f"{name}.mlp.1", linear(p, f"{name}.mlp.0", torch.stack(columns)))
        out.append(linear(p, f"{name}.mlp.4", relu(hidden)))
    return out


def gin_conv(p: Parameters, name: str, rows: list[Tensor], neighbours: list[list[int]]) -> list[Tensor]:
    out = []
    for own, others in zip(rows, neighbours, strict=True):
        total = own
        for j in others:
            total = total + rows[j]
        out.append(linear(p, f"{name}.nn.2", relu(linear(p, f"{name}.nn.0", total))))
    return out


def head(p: Parameters, rows: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Gated attention over all patches of the case, the layer after it, and the logits."""
    scores = []
    for row in rows:
        tanh = torch.tanh(linear(p, "attention_pool.feature_transform.0", row))
        gate = 1 / (1 + torch.exp(-linear(p, "attention_pool.attention_gate.0", row)))
        scores.append(linear(p, "attention_pool.attention_scorer", tanh * gate))
    exponentials = torch.exp(torch.cat(scores))
    attention = exponentials / exponentials.sum()
    pooled = sum(a * row for a, row in zip(attention, rows, strict=True))
    return linear(p, "classifier", relu(linear(p, "case_transform.0", pooled))), attention


def patchgcn_case(p: Parameters, slides: list[Tensor], positions: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Logits (C,) and attention (M,) of one case."""
    patches = []
    for slide, where in zip(slides, positions, strict=True):
        neighbours = nearest(where.tolist())
        levels = [[relu(linear(p, "projector.0", x)) for x in slide]]
        levels.append(gen_conv(p, "layers.0", levels[0], neighbours))
        for layer in (1, 2):
            convolved = gen_conv(p, f"layers.{layer}.conv", levels[-1], neighbours)
            changes = [relu(layer_norm(p, f"layers.{layer}.norm", row)) for row in convolved]
            levels.append([row + change for row, change in zip(levels[-1], changes, strict=True)])
        patches += [relu(linear(p, "patch_transform.0", torch.cat(row))) for row in zip(*levels, strict=True)]
    return head(p, patches)


def deepgraphconv_case(p: Parameters, slides: list[Tensor], positions: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Logits (C,) and attention (M,) of one case."""
    patches = []
    for slide, where in zip(slides, positions, strict=True):
        neighbours = nearest(where.tolist())
        rows = list(slide)
        for layer in range(3):
            rows = [relu(row) for row in gin_conv(p, f"layers.{layer}", rows, neighbours)]
        patches += rows
    return head(p, patches)
