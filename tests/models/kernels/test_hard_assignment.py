"""Context and sums by gather and scatter against products with the dense straight-through matrix of Eq. 2."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from models.kernels.hard_assignment import chosen_context, chosen_sums
from models.kernels.segment_ops import Segments
from tests.reference.tolerance import relative_error


def dense(affinity: Tensor) -> Tensor:
    """`one-hot(argmax_k A) + A - stop_gradient(A)`."""
    one_hot = F.one_hot(affinity.argmax(dim=1), affinity.size(1)).to(affinity.dtype)
    return one_hot + (affinity - affinity.detach())


def inputs(sizes: list[int]) -> tuple[Segments, Tensor, Tensor]:
    torch.manual_seed(0)
    slides = Segments.from_index(torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes)), len(sizes))
    affinity = torch.randn(sum(sizes), 4, dtype=torch.float64, requires_grad=True)
    return slides, affinity, torch.randn(sum(sizes), 6, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])
@pytest.mark.parametrize("sizes", [[1], [3, 9], [600, 530]], ids=str)
def test_context_equals_the_dense_product(own: bool, sizes: list[int]):
    slides, affinity, _ = inputs(sizes)
    anchors = torch.randn(*((len(sizes), 4, 6) if own else (4, 6)), dtype=torch.float64, requires_grad=True)
    got = chosen_context(affinity, affinity.argmax(dim=1), anchors, slides)
    per_slide = anchors if own else [anchors] * len(sizes)
    expected = torch.cat([w @ a for w, a in zip(dense(affinity).split(sizes), per_slide, strict=True)])
    assert torch.equal(got, expected)
    weights = torch.randn_like(expected)
    gradients = torch.autograd.grad((got * weights).sum(), (affinity, anchors))
    for one, other in zip(gradients, torch.autograd.grad((expected * weights).sum(), (affinity, anchors)), strict=True):
        assert relative_error(one, other) < 1e-12


@pytest.mark.parametrize("sizes", [[1], [3, 9], [600, 530]], ids=str)
def test_sums_equal_the_dense_product(sizes: list[int]):
    slides, affinity, patches = inputs(sizes)
    sums, counts = chosen_sums(affinity, affinity.argmax(dim=1), patches, 4, slides)
    pairs = zip(dense(affinity).split(sizes), patches.split(sizes), strict=True)
    expected = torch.stack([w.T @ x for w, x in pairs])
    assert relative_error(sums, expected) < 1e-12
    assert torch.equal(counts.squeeze(2), torch.stack([w.sum(dim=0) for w in dense(affinity).split(sizes)]).long())
    weights = torch.randn_like(expected)
    gradients = torch.autograd.grad((sums * weights).sum(), (affinity, patches))
    for one, other in zip(gradients, torch.autograd.grad((expected * weights).sum(), (affinity, patches)), strict=True):
        assert relative_error(one, other) < 1e-12


def test_16_bit_patches_are_summed_in_float32():
    patches = torch.ones(1000, 2, dtype=torch.bfloat16)
    slides = Segments(torch.zeros(1000, dtype=torch.long), (1000,))
    sums, counts = chosen_sums(None, torch.zeros(1000, dtype=torch.long), patches, 2, slides)
    assert sums.tolist() == [[[1000.0, 1000.0], [0.0, 0.0]]]  # bfloat16 would stop at 256
    assert counts.flatten().tolist() == [1000, 0]
