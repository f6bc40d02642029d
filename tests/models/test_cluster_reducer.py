"""Eq. 5 written out."""

from __future__ import annotations

import torch

from models.cluster_reducer import ClusterReducer


def test_mixes_anchors_feature_by_feature():
    torch.manual_seed(0)
    reducer = ClusterReducer(4)
    anchors = torch.randn(3, 4, 5)
    reduced = reducer(anchors)
    assert reduced.shape == (3, 2, 5)
    for slide in range(3):
        for feature in range(5):
            hidden = (reducer.fc1.weight @ anchors[slide, :, feature] + reducer.fc1.bias).clamp(min=0)
            expected = reducer.fc2.weight @ hidden + reducer.fc2.bias
            torch.testing.assert_close(reduced[slide, :, feature], expected)


def test_shared_anchors_reduce_like_a_slide_of_their_own():
    reducer, anchors = ClusterReducer(4), torch.randn(4, 5)
    torch.testing.assert_close(reducer(anchors), reducer(anchors.unsqueeze(0))[0])
