"""Similarities on a table worked by hand, and values and gradients against torch's own functions."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from models.kernels.segment_ops import Segments
from models.kernels.similarity import cosine_similarity, dot_similarity, l2_similarity
from tests.reference.tolerance import relative_error

PATCHES = torch.tensor([[3.0, 4.0], [1.0, 0.0], [0.0, 2.0]])
ANCHORS = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
ONE_SLIDE = Segments(torch.zeros(3, dtype=torch.long), (3,))
PLAIN = {
    l2_similarity: lambda x, a: -torch.cdist(x, a, compute_mode="donot_use_mm_for_euclid_dist"),
    dot_similarity: lambda x, a: x @ a.T,
    cosine_similarity: lambda x, a: F.normalize(x, dim=1) @ F.normalize(a, dim=1).T,
}
every_similarity = pytest.mark.parametrize("similarity", PLAIN, ids=lambda function: function.__name__)


def test_similarities_by_hand():
    root = 20**0.5
    expected = torch.tensor([[-root, -(18**0.5), -(32**0.5)], [0.0, -(2**0.5), -2.0], [-(5**0.5), -1.0, -(5**0.5)]])
    torch.testing.assert_close(l2_similarity(PATCHES, ANCHORS, ONE_SLIDE), expected)
    dots = torch.tensor([[3.0, 4, -3], [1, 0, -1], [0, 2, 0]])
    torch.testing.assert_close(dot_similarity(PATCHES, ANCHORS, ONE_SLIDE), dots)
    cosine = torch.tensor([[0.6, 0.8, -0.6], [1.0, 0, -1], [0, 1.0, 0]])
    torch.testing.assert_close(cosine_similarity(PATCHES, ANCHORS, ONE_SLIDE), cosine)


@every_similarity
@pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])
@pytest.mark.parametrize("sizes", [[1], [7, 1, 40], [600, 600]], ids=str)
def test_values_and_gradients_equal_the_plain_ones(similarity, own: bool, sizes: list[int]):
    torch.manual_seed(0)
    patches = torch.randn(sum(sizes), 6, dtype=torch.float64, requires_grad=True)
    shape = (len(sizes), 5, 6) if own else (5, 6)
    anchors = torch.randn(*shape, dtype=torch.float64, requires_grad=True)
    slides = Segments.from_index(torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes)), len(sizes))
    got = similarity(patches, anchors, slides)
    per_slide = anchors if own else [anchors] * len(sizes)
    expected = torch.cat([PLAIN[similarity](x, a) for x, a in zip(patches.split(sizes), per_slide, strict=True)])
    assert relative_error(got, expected) < 1e-7  # of nearby points, the squared distance cancels to half the digits
    weights = torch.randn_like(expected)
    gradients = torch.autograd.grad((got * weights).sum(), (patches, anchors))
    for one, other in zip(gradients, torch.autograd.grad((expected * weights).sum(), (patches, anchors)), strict=True):
        assert relative_error(one, other) < 1e-7


def test_l2_has_no_gradient_where_patch_and_anchor_are_the_same_point():
    anchors = ANCHORS.clone().requires_grad_()
    l2_similarity(PATCHES[1:2], anchors, Segments(torch.zeros(1, dtype=torch.long), (1,)))[0, 0].backward()
    assert torch.equal(anchors.grad, torch.zeros(3, 2))


def test_a_patch_of_zeros_has_cosine_zero():
    patches = torch.zeros(3, 2, requires_grad=True)
    cosine = cosine_similarity(patches, ANCHORS, ONE_SLIDE)
    assert torch.equal(cosine, torch.zeros(3, 3))
    cosine.sum().backward()
    assert torch.isfinite(patches.grad).all()


@pytest.mark.parametrize("similarity", [l2_similarity, cosine_similarity])
def test_under_autocast_it_is_computed_in_float32(similarity):
    torch.manual_seed(0)
    patches, anchors = torch.randn(3, 64).bfloat16(), torch.randn(5, 64).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = similarity(patches, anchors, ONE_SLIDE)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, similarity(patches.float(), anchors.float(), ONE_SLIDE))
