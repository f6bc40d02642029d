"""Small ragged batches for the tests of models."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models import build_model

DIM_IN, EMBED_DIM, N_ANCHORS = 10, 8, 8


def small_model(formulation: str = "released", *, seed: int = 0, n_outputs: int = 3, **options: object) -> nn.Module:
    """A MiCo in float64 and evaluation mode, with parameters that are nowhere near symmetric."""
    torch.manual_seed(seed)
    model = build_model(
        "mico",
        dim_in=DIM_IN,
        n_outputs=n_outputs,
        formulation=formulation,
        n_anchors=N_ANCHORS,
        embed_dim=EMBED_DIM,
        **options,
    ).double()
    with torch.no_grad():
        model.similarity_scale.fill_(1.7)
        for norm in [*model.enhancer_norm_layers, model.aggregation_norm_layer]:
            norm.weight.uniform_(0.5, 1.5)
            norm.bias.uniform_(-0.5, 0.5)
    return model.eval()


def draw_slides(sizes: list[int], *, seed: int = 1) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(size, DIM_IN, generator=generator, dtype=torch.float64) for size in sizes]


def batch_of(cases: list[list[Tensor]]) -> tuple[Tensor, Tensor, Tensor]:
    """Features, slide index and case index of cases given as lists of slides."""
    slides = [slide for case in cases for slide in case]
    slide_index = torch.cat([torch.full((len(slide),), i) for i, slide in enumerate(slides)]).long()
    case_index = torch.tensor([i for i, case in enumerate(cases) for _ in case])
    return torch.cat(slides), slide_index, case_index
