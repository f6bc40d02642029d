"""Eqs. 1 to 3 on tables worked by hand."""

from __future__ import annotations

import pytest
import torch

from models.cluster_route import cosine_similarity, dot_similarity, l2_similarity, straight_through, update_anchors
from models.segment_ops import Segments

PATCHES = torch.tensor([[3.0, 4.0], [1.0, 0.0], [0.0, 2.0]])
ANCHORS = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])


def test_similarities_by_hand():
    root = 20**0.5
    expected = torch.tensor([[-root, -(18**0.5), -(32**0.5)], [0.0, -(2**0.5), -2.0], [-(5**0.5), -1.0, -(5**0.5)]])
    torch.testing.assert_close(l2_similarity(PATCHES, ANCHORS), expected)
    torch.testing.assert_close(dot_similarity(PATCHES, ANCHORS), torch.tensor([[3.0, 4, -3], [1, 0, -1], [0, 2, 0]]))
    cosine = torch.tensor([[0.6, 0.8, -0.6], [1.0, 0, -1], [0, 1.0, 0]])
    torch.testing.assert_close(cosine_similarity(PATCHES, ANCHORS), cosine)


def test_l2_has_a_gradient_where_patch_and_anchor_are_the_same_point():
    anchors = ANCHORS.clone().requires_grad_()
    l2_similarity(PATCHES, anchors).sum().backward()
    assert torch.isfinite(anchors.grad).all()


def test_straight_through_is_one_hot_forward_and_identity_backward():
    affinity = torch.tensor([[0.2, 0.7, 0.1], [0.3, 0.3, 0.4]], requires_grad=True)
    hard, chosen = straight_through(affinity)
    assert torch.equal(hard, torch.tensor([[0.0, 1, 0], [0, 0, 1]]))  # exactly
    assert chosen.tolist() == [1, 2]
    weights = torch.tensor([[1.0, 2, 3], [4, 5, 6]])
    (hard * weights).sum().backward()
    assert torch.equal(affinity.grad, weights)


def test_anchors_move_to_the_mean_of_their_patches_slide_by_slide():
    """Slide 0 holds patches 0 and 1, slide 1 patch 2; anchors that no patch of a slide chose keep their value."""
    hard, chosen = straight_through(torch.tensor([[1.0, 0, 0], [1, 0, 0], [0, 1, 0]]))
    slides = Segments.from_index(torch.tensor([0, 0, 1]), n_slides=2)
    moved = update_anchors(PATCHES, ANCHORS, hard, chosen, slides)
    expected = torch.stack([ANCHORS, ANCHORS])
    expected[0, 0] = torch.tensor([2.0, 2.0])
    expected[1, 1] = torch.tensor([0.0, 2.0])
    assert torch.equal(moved, expected)


def test_no_gradient_flows_through_the_count():
    """d s~ / d patch is 1 / N_k; the affinity's gradient has the plain product rule over a constant N_k."""
    affinity = torch.tensor([[1.0, 0], [1, 0]], requires_grad=True)
    patches = torch.tensor([[3.0], [5.0]], requires_grad=True)
    hard, chosen = straight_through(affinity)
    slides = Segments.from_index(torch.tensor([0, 0]), n_slides=1)
    update_anchors(patches, torch.zeros(2, 1), hard, chosen, slides)[0, 0].sum().backward()
    assert patches.grad.tolist() == [[0.5], [0.5]]
    assert affinity.grad.tolist() == [[1.5, 0], [2.5, 0]]


def test_slides_count_their_rows_and_refuse_a_shuffled_index():
    assert Segments.from_index(torch.tensor([0, 0, 2]), n_slides=4).sizes == (2, 0, 1, 0)
    with pytest.raises(ValueError, match=r"non-decreasing within 0 .. 1"):
        Segments.from_index(torch.tensor([1, 0]), n_slides=2)


def test_weighted_sums_equal_a_loop():
    weights, rows = torch.randn(5, 3), torch.randn(5, 2)
    slides = Segments.from_index(torch.tensor([0, 0, 2, 2, 2]), n_slides=3)
    expected = torch.zeros(3, 3, 2)
    for row, slide in enumerate(slides.index.tolist()):
        expected[slide] += torch.outer(weights[row], rows[row])
    torch.testing.assert_close(slides.weighted_sums(weights, rows), expected)
