from __future__ import annotations

import torch
from torch import nn

from models.baselines.max_pool import MaxPool
from tests.models.bags import batch_of


def test_is_the_maximum_by_hand():
    """Two features: the identity projection keeps them; patch 1 has the largest first, patch 0 the largest second."""
    model = MaxPool(dim_in=2, n_outputs=2, embed_dim=2).double().eval()
    with torch.no_grad():
        model.projector[0].weight.copy_(torch.eye(2))
        model.classifier.weight.copy_(torch.eye(2))
        for layer in (model.projector[0], model.classifier):
            nn.init.zeros_(layer.bias)
    slides = [torch.tensor([[1.0, 5.0], [3.0, 2.0]]).double(), torch.tensor([[2.0, 4.0], [2.0, 4.0]]).double()]
    out = model(*batch_of([[slides[0]], [slides[1]]]))
    assert out.logits.tolist() == [[3.0, 5.0], [2.0, 4.0]]
    assert out.attention.tolist() == [0.5, 0.5, 1.0, 0.0]  # of equal patches the first
    both = model(*batch_of([slides]))
    assert both.logits.tolist() == [[3.0, 5.0]]
    assert both.attention.tolist() == [0.5, 0.5, 0.0, 0.0]
