"""Gated ABMIL against Eqs. 7 and 9 of its paper, patch by patch."""

from __future__ import annotations

import torch

from models.baselines.abmil import ABMIL
from tests.models.bags import DIM_IN, batch_of, draw_slides


def test_equals_the_equations():
    torch.manual_seed(0)
    model = ABMIL(dim_in=DIM_IN, n_outputs=3, embed_dim=6).double().eval()
    slides = draw_slides([4, 3])
    out = model(*batch_of([slides]))
    pool, projection = model.attention_pool, model.projector[0]
    scores, patches = [], []
    for row in torch.cat(slides):
        h = (projection.weight @ row + projection.bias).clamp(min=0)
        v = torch.tanh(pool.feature_transform[0].weight @ h + pool.feature_transform[0].bias)
        u = torch.sigmoid(pool.attention_gate[0].weight @ h + pool.attention_gate[0].bias)
        scores.append((pool.attention_scorer.weight[0] * v * u).sum())
        patches.append(h)
    shares = torch.stack(scores).exp() / torch.stack(scores).exp().sum()
    z = sum(a * h for a, h in zip(shares, patches, strict=True))
    torch.testing.assert_close(out.attention, shares)
    torch.testing.assert_close(out.logits[0], model.classifier.weight @ z + model.classifier.bias)


def test_parameter_count():
    """CLAM-SB without its instance classifiers: 524,800 + 2 x 131,328 + 257 + 1,026 at D = 1024, C = 2."""
    assert sum(p.numel() for p in ABMIL(dim_in=1024, n_outputs=2).parameters()) == 788_739
