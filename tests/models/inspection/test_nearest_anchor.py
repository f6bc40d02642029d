"""The nearest anchors against a loop over pairs."""

from __future__ import annotations

import pytest
import torch

from models.inspection.nearest_anchor import nearest_anchors
from tests.models.bags import DIM_IN, N_ANCHORS, batch_of, draw_slides


@pytest.mark.parametrize("own_anchors", [False, True], ids=["data-set", "slide"])
@pytest.mark.parametrize("block_rows", [1, 5, 100])
def test_nearest_anchors_are_those_of_a_loop(own_anchors: bool, block_rows: int):
    features, slide_index, _ = batch_of([draw_slides([6, 11]), draw_slides([1], seed=3)])
    torch.manual_seed(0)
    anchors = torch.randn(*([3] if own_anchors else []), N_ANCHORS, DIM_IN, dtype=torch.float64)
    found = nearest_anchors(features, slide_index, anchors, scale=lambda x: 2 * x, block_rows=block_rows)
    for row, slide in enumerate(slide_index.tolist()):
        distances = [
            (2 * features[row] - s).square().sum().sqrt() for s in (anchors[slide] if own_anchors else anchors)
        ]
        best = min(range(N_ANCHORS), key=lambda k: distances[k])
        assert found.anchor[row] == best
        assert found.distance[row].item() == pytest.approx(distances[best].item(), rel=1e-6)


def test_half_precision_is_compared_in_single():
    features = torch.tensor([[1.0, 2.0], [30.0, 40.0]], dtype=torch.float16)
    found = nearest_anchors(features, torch.zeros(2, dtype=torch.long), torch.tensor([[30.0, 44.0], [1.0, 2.0]]))
    assert found.anchor.tolist() == [1, 0]
    assert found.distance.tolist() == [0.0, 4.0]
    assert found.distance.dtype == torch.float32
