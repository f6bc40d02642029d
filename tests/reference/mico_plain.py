"""The plain path: MiCo as a straightforward author would write it, a loop over slides with separate layers.

What the fast path is compared with, in outputs and gradients (tests) and in time and memory (benchmarks). Parameters
carry the released names, so that weights move to and fro.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PlainMLP(nn.Module):
    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.fc1, self.fc2, self.dropout = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.fc2(self.dropout(F.relu(self.fc1(x)))))


class PlainReducer(nn.Module):
    def __init__(self, n_anchors: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(n_anchors, n_anchors), nn.Linear(n_anchors, n_anchors // 2)

    def forward(self, anchors: Tensor) -> Tensor:
        return self.fc2(F.relu(self.fc1(anchors.T))).T


class PlainAttention(nn.Module):
    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.feature_transform = nn.Sequential(nn.Linear(dim, dim), nn.Tanh(), nn.Dropout(dropout))
        self.attention_gate = nn.Sequential(nn.Linear(dim, dim), nn.Sigmoid(), nn.Dropout(dropout))
        self.attention_scorer = nn.Linear(dim, 1)

    def forward(self, z: Tensor) -> Tensor:
        return self.attention_scorer(self.feature_transform(z) * self.attention_gate(z)).squeeze(1)


class PlainMiCo(nn.Module):
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
    ) -> None:
        super().__init__()
        self.formulation, self.similarity, self.assignment = formulation, similarity, assignment
        self.cluster_centers = nn.Parameter(torch.randn(n_anchors, dim_in))
        self.patch_feature_projector = nn.Sequential(nn.Linear(dim_in, embed_dim), nn.LeakyReLU(0.01))
        self.cluster_center_projector = nn.Sequential(nn.Linear(dim_in, embed_dim), nn.LeakyReLU(0.01))
        self.context_enhancers = nn.ModuleList(PlainMLP(embed_dim, dropout) for _ in range(n_stages))
        self.enhancer_norm_layers = nn.ModuleList(nn.LayerNorm(embed_dim) for _ in range(n_stages))
        self.cluster_reducers = nn.ModuleList(PlainReducer(n_anchors // 2**stage) for stage in range(n_stages))
        self.feature_processor = nn.Sequential(nn.Linear(embed_dim, embed_dim), nn.ReLU(), nn.Dropout(dropout))
        self.aggregation_norm_layer = nn.LayerNorm(embed_dim)
        self.attention_network = PlainAttention(embed_dim, dropout)
        self.final_projector = nn.Sequential(nn.Linear(embed_dim, embed_dim), nn.ReLU(), nn.Dropout(dropout))
        self.classifier = nn.Linear(embed_dim, n_outputs)
        self.similarity_scale = nn.Parameter(torch.ones(1))
        self.similarity_bias = nn.Parameter(torch.zeros(1))

    def forward(self, cases: Sequence[Sequence[Tensor]], anchors: Sequence[Tensor] | None = None) -> Tensor:
        """Logits (B, C) of cases given as lists of slides (M, D); `anchors`: a (K, D) for each slide in order."""
        own = iter(anchors) if anchors is not None else None
        pooled = []
        for slides in cases:
            rows = torch.cat(
                [self.slide(slide, self.cluster_centers if own is None else next(own)) for slide in slides]
            )
            z = self.aggregation_norm_layer(rows)
            attention = torch.softmax(self.attention_network(z), dim=0)
            pooled.append((attention.unsqueeze(1) * z).sum(dim=0))
        return self.classifier(self.final_projector(torch.stack(pooled)))

    def slide(self, features: Tensor, centers: Tensor) -> Tensor:
        patches, anchors = self.patch_feature_projector(features), self.cluster_center_projector(centers)
        stage_of = self.paper_stage if self.formulation == "paper" else self.released_stage
        for stage in range(len(self.context_enhancers)):
            patches, anchors = stage_of(stage, patches, anchors)
        return self.feature_processor(torch.cat([patches, anchors]))

    def released_stage(self, stage: int, patches: Tensor, anchors: Tensor) -> tuple[Tensor, Tensor]:
        similarity = patches @ anchors.T if self.similarity == "dot" else -torch.cdist(patches, anchors)
        affinity = torch.softmax(similarity / self.similarity_scale, dim=1)
        if self.assignment == "hard":
            affinity = one_hot_of(affinity) + (affinity - affinity.detach())
        patches = self.enhancer_norm_layers[stage](patches + affinity @ anchors)
        return patches + self.context_enhancers[stage](patches), self.cluster_reducers[stage](anchors)

    def paper_stage(self, stage: int, patches: Tensor, anchors: Tensor) -> tuple[Tensor, Tensor]:
        affinity = F.normalize(patches, dim=1) @ F.normalize(anchors, dim=1).T
        hard = one_hot_of(affinity) + (affinity - affinity.detach())
        counts = hard.sum(dim=0).unsqueeze(1)
        moved = torch.where(counts > 0, hard.T @ patches / counts.clamp(min=1), anchors)
        enhanced = patches + self.context_enhancers[stage](patches + hard @ moved)
        return self.enhancer_norm_layers[stage](enhanced), self.cluster_reducers[stage](moved)


def one_hot_of(affinity: Tensor) -> Tensor:
    return F.one_hot(affinity.argmax(dim=1), affinity.size(1)).to(affinity.dtype)
