"""Eqs. 2 and 3 on tables worked by hand, and against products written slide by slide."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from models.cluster_route import (
    Assignment,
    ContextEnhancer,
    PaperRoute,
    chosen_sums,
    context_of,
    hard_assignment,
    move_anchors,
)
from models.kernels.segment_ops import Segments
from tests.reference.mico_plain import PlainMLP, one_hot_of
from tests.reference.tolerance import relative_error

PATCHES = torch.tensor([[3.0, 4.0], [1.0, 0.0], [0.0, 2.0]])
ANCHORS = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
ROUTE = PaperRoute(nn.Identity(), nn.Identity())


def test_patches_choose_the_anchor_of_the_highest_cosine():
    assignment = ROUTE.choose(PATCHES.clone().requires_grad_(), ANCHORS, Segments(torch.zeros(3).long(), (3,)))
    assert assignment.chosen.tolist() == [1, 0, 1]
    torch.testing.assert_close(assignment.affinity, torch.tensor([[0.6, 0.8, -0.6], [1.0, 0, -1], [0, 1.0, 0]]))


def test_without_gradients_no_affinity_is_kept():
    with torch.no_grad():
        assignment = ROUTE.choose(PATCHES, ANCHORS, Segments(torch.zeros(3).long(), (3,)))
    assert assignment.affinity is None
    assert assignment.weights(3).tolist() == [[0, 1, 0], [1, 0, 0], [0, 1, 0]]


def test_the_straight_through_assignment_is_exactly_one_hot_and_has_the_gradient_of_the_affinity():
    affinity = torch.rand(500, 7).requires_grad_()
    weights = hard_assignment(affinity).weights(7)
    assert set(weights.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(weights.argmax(dim=1), affinity.argmax(dim=1))
    towards = torch.randn(500, 7)
    (gradient,) = torch.autograd.grad((weights * towards).sum(), affinity)
    assert torch.equal(gradient, towards)


def test_a_soft_assignment_is_its_affinity():
    affinity = torch.rand(5, 7)
    assert Assignment(affinity, affinity.argmax(dim=1), is_hard=False).weights(7) is affinity


def test_anchors_move_to_the_mean_of_their_patches_slide_by_slide():
    """Slide 0 holds patches 0 and 1, slide 1 patch 2; anchors that no patch of a slide chose keep their value."""
    assignment = hard_assignment(torch.tensor([[1.0, 0, 0], [1, 0, 0], [0, 1, 0]]))
    slides = Segments.from_index(torch.tensor([0, 0, 1]), n_slides=2)
    moved = move_anchors(*chosen_sums(assignment, PATCHES, 3, slides), ANCHORS)
    expected = torch.stack([ANCHORS, ANCHORS])
    expected[0, 0] = torch.tensor([2.0, 2.0])
    expected[1, 1] = torch.tensor([0.0, 2.0])
    assert torch.equal(moved, expected)


def test_the_gradient_flows_through_the_count():
    """`d s~_k / d patch_m = Â(m, k) / N_k` and `d s~_k / d Â(m, k) = (patch_m - s~_k) / N_k`, also where Â is 0."""
    affinity = torch.tensor([[1.0, 0], [1, 0], [0, 1]], requires_grad=True)
    patches = torch.tensor([[3.0], [5.0], [8.0]], requires_grad=True)
    slides = Segments.from_index(torch.tensor([0, 0, 0]), n_slides=1)
    sums = chosen_sums(hard_assignment(affinity), patches, 2, slides)
    move_anchors(*sums, torch.zeros(2, 1))[0, 0].sum().backward()  # s~_0 = 4
    assert patches.grad.tolist() == [[0.5], [0.5], [0]]
    assert affinity.grad.tolist() == [[-0.5, 0], [0.5, 0], [2, 0]]


def test_an_anchor_that_no_patch_chose_passes_its_gradient_on_and_gives_none_to_patches():
    affinity = torch.tensor([[1.0, 0]], requires_grad=True)
    patches, anchors = torch.tensor([[3.0]], requires_grad=True), torch.tensor([[1.0], [2.0]], requires_grad=True)
    slides = Segments.from_index(torch.tensor([0]), n_slides=1)
    move_anchors(*chosen_sums(hard_assignment(affinity), patches, 2, slides), anchors)[0, 1].sum().backward()
    assert anchors.grad.tolist() == [[0], [1]]
    assert patches.grad.tolist() == [[0]]
    assert affinity.grad.tolist() == [[0, 0]]


def ragged(sizes: list[int]) -> tuple[Segments, Tensor, Tensor]:
    torch.manual_seed(0)
    slides = Segments.from_index(torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes)), len(sizes))
    affinity = torch.randn(sum(sizes), 4, dtype=torch.float64, requires_grad=True)
    return slides, affinity, torch.randn(sum(sizes), 6, dtype=torch.float64, requires_grad=True)


def straight_through(affinity: Tensor) -> Tensor:
    return one_hot_of(affinity) + (affinity - affinity.detach())


def assert_equal_with_gradients(got: Tensor, expected: Tensor, *inputs: Tensor) -> None:
    assert relative_error(got, expected) < 1e-12
    weights = torch.randn_like(expected)
    gradients = torch.autograd.grad((got * weights).sum(), inputs)
    for one, other in zip(gradients, torch.autograd.grad((expected * weights).sum(), inputs), strict=True):
        assert relative_error(one, other) < 1e-12


@pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])
@pytest.mark.parametrize("sizes", [[1], [3, 9], [600, 530]], ids=str)
def test_context_equals_the_product_of_each_slide(own: bool, sizes: list[int]):
    slides, affinity, _ = ragged(sizes)
    anchors = torch.randn(*((len(sizes), 4, 6) if own else (4, 6)), dtype=torch.float64, requires_grad=True)
    per_slide = anchors if own else [anchors] * len(sizes)
    products = [w @ a for w, a in zip(straight_through(affinity).split(sizes), per_slide, strict=True)]
    context = context_of(hard_assignment(affinity), anchors, slides)
    assert_equal_with_gradients(context, torch.cat(products), affinity, anchors)


@pytest.mark.parametrize("sizes", [[1], [3, 9], [600, 530]], ids=str)
def test_sums_equal_the_product_of_each_slide(sizes: list[int]):
    slides, affinity, patches = ragged(sizes)
    sums, counts = chosen_sums(hard_assignment(affinity), patches, 4, slides)
    weights = straight_through(affinity).split(sizes)
    expected = torch.stack([w.T @ x for w, x in zip(weights, patches.split(sizes), strict=True)])
    assert_equal_with_gradients(sums, expected, affinity, patches)
    n_patches = torch.stack([w.sum(dim=0) for w in weights]).unsqueeze(2)
    assert torch.equal(counts, n_patches)
    assert_equal_with_gradients(counts, n_patches, affinity)


def test_16_bit_patches_are_summed_in_float32():
    patches = torch.ones(1000, 2, dtype=torch.bfloat16)
    slides = Segments(torch.zeros(1000, dtype=torch.long), (1000,))
    assignment = Assignment(None, torch.zeros(1000, dtype=torch.long), is_hard=True)
    sums, counts = chosen_sums(assignment, patches, 2, slides)
    assert sums.tolist() == [[[1000.0, 1000.0], [0.0, 0.0]]]  # bfloat16 would stop at 256
    assert counts.flatten().tolist() == [1000, 0]


def test_the_mlp_of_a_stage_is_the_plain_one():
    torch.manual_seed(0)
    mlp, plain = ContextEnhancer(6, 0.5).double().eval(), PlainMLP(6, 0.5).double().eval()
    plain.load_state_dict(mlp.state_dict())
    x = torch.randn(9, 6, dtype=torch.float64, requires_grad=True)
    assert_equal_with_gradients(mlp(x), plain(x), x)


def test_dropout_stands_after_the_relu_and_at_the_end_of_the_mlp():
    """With weights of 1 and biases of 0 an output is 0, or 1 divided by the kept rate twice."""
    torch.manual_seed(1)
    mlp = ContextEnhancer(1, 0.5).train()
    with torch.no_grad():
        for linear in (mlp.fc1, mlp.fc2):
            linear.weight.fill_(1)
            linear.bias.fill_(0)
        out = mlp(torch.ones(20_000, 1))
    assert set(out.unique().tolist()) == {0.0, 4.0}
    assert (out > 0).float().mean().item() == pytest.approx(0.25, abs=0.02)
