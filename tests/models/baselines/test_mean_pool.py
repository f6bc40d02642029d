from __future__ import annotations

import torch

from models.baselines.mean_pool import MeanPool
from tests.models.bags import DIM_IN, batch_of, draw_slides


def test_is_the_mean_of_the_projected_patches():
    torch.manual_seed(0)
    model = MeanPool(dim_in=DIM_IN, n_outputs=3, embed_dim=4).double().eval()
    first, second, third = draw_slides([3, 4, 1])
    out = model(*batch_of([[first, second], [third]]))
    linear = model.projector[0]
    for case, rows in enumerate([torch.cat([first, second]), third]):
        mean = torch.stack([(linear.weight @ row + linear.bias).clamp(min=0) for row in rows]).sum(dim=0) / len(rows)
        torch.testing.assert_close(out.logits[case], model.classifier.weight @ mean + model.classifier.bias)
    torch.testing.assert_close(out.attention, torch.tensor([1 / 7] * 7 + [1.0], dtype=torch.float64))


def test_a_mean_over_many_patches_keeps_its_precision_in_bfloat16():
    torch.manual_seed(0)
    model = MeanPool(dim_in=4, n_outputs=2, embed_dim=8).eval()
    features = torch.randn(1, 4).expand(20_000, 4)
    index = torch.zeros(20_000, dtype=torch.long)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        many = model(features, index, torch.tensor([0])).logits
        one = model(features[:1], index[:1], torch.tensor([0])).logits
    torch.testing.assert_close(many, one, rtol=1e-2, atol=1e-3)  # sums in bfloat16 would stop at 256 equal terms
