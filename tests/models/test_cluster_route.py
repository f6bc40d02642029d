"""Eqs. 2 and 3 on tables worked by hand."""

from __future__ import annotations

import torch

from models.cluster_route import choose_anchors, move_anchors
from models.kernels.hard_assignment import chosen_sums
from models.kernels.segment_ops import Segments

PATCHES = torch.tensor([[3.0, 4.0], [1.0, 0.0], [0.0, 2.0]])
ANCHORS = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])


def test_patches_choose_the_anchor_of_the_highest_cosine():
    choice = choose_anchors(PATCHES, ANCHORS, Segments(torch.zeros(3).long(), (3,)))
    assert choice.chosen.tolist() == [1, 0, 1]
    torch.testing.assert_close(choice.affinity, torch.tensor([[0.6, 0.8, -0.6], [1.0, 0, -1], [0, 1.0, 0]]))


def test_without_gradients_no_affinity_is_kept():
    with torch.no_grad():
        assert choose_anchors(PATCHES, ANCHORS, Segments(torch.zeros(3).long(), (3,))).affinity is None


def test_anchors_move_to_the_mean_of_their_patches_slide_by_slide():
    """Slide 0 holds patches 0 and 1, slide 1 patch 2; anchors that no patch of a slide chose keep their value."""
    affinity, chosen = torch.tensor([[1.0, 0, 0], [1, 0, 0], [0, 1, 0]]), torch.tensor([0, 0, 1])
    slides = Segments.from_index(torch.tensor([0, 0, 1]), n_slides=2)
    moved = move_anchors(*chosen_sums(affinity, chosen, PATCHES, 3, slides), ANCHORS)
    expected = torch.stack([ANCHORS, ANCHORS])
    expected[0, 0] = torch.tensor([2.0, 2.0])
    expected[1, 1] = torch.tensor([0.0, 2.0])
    assert torch.equal(moved, expected)


def test_no_gradient_flows_through_the_count():
    """d s~ / d patch is 1 / N_k; the affinity's gradient has the plain product rule over a constant N_k."""
    affinity = torch.tensor([[1.0, 0], [1, 0]], requires_grad=True)
    patches = torch.tensor([[3.0], [5.0]], requires_grad=True)
    slides = Segments.from_index(torch.tensor([0, 0]), n_slides=1)
    sums = chosen_sums(affinity, torch.tensor([0, 0]), patches, 2, slides)
    move_anchors(*sums, torch.zeros(2, 1))[0, 0].sum().backward()
    assert patches.grad.tolist() == [[0.5], [0.5]]
    assert affinity.grad.tolist() == [[1.5, 0], [2.5, 0]]
