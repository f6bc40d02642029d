"""The smooth hinge loss and CLAM's instance loss against tables worked by hand and against cross entropy."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from models.baselines.instance_loss import clam_instance_loss, smooth_top1_svm
from models.output import InstanceLogits


def test_one_row_by_hand():
    # s = (2, 1), y = 1: tau log(e^((2 + 1) / tau) + e^(1 / tau)) - 1
    scores, target = torch.tensor([[2.0, 1.0]], dtype=torch.float64), torch.tensor([1])
    assert smooth_top1_svm(scores, target).item() == pytest.approx(math.log(math.exp(3) + math.exp(1)) - 1)
    expected = 0.5 * math.log(math.exp((2 + 0.2) / 0.5) + math.exp(1 / 0.5)) - 1
    assert smooth_top1_svm(scores, target, tau=0.5, margin=0.2).item() == pytest.approx(expected)


@pytest.mark.parametrize(("tau", "margin"), [(1.0, 1.0), (0.3, 1.0), (2.0, 0.5), (1.0, 0.0)])
def test_is_cross_entropy_of_scores_with_a_margin(tau: float, margin: float):
    """`tau cross_entropy((s + margin [j != y]) / tau, y)`: torch's own logarithm of the softmax."""
    scores, target = torch.randn(7, 4, dtype=torch.float64), torch.randint(0, 4, (7,))
    moved = scores + margin
    moved[torch.arange(7), target] -= margin
    got = smooth_top1_svm(scores, target, tau=tau, margin=margin).mean()
    assert got.item() == pytest.approx(tau * F.cross_entropy(moved / tau, target).item(), rel=1e-12)


def test_a_small_tau_is_the_hinge_loss_and_no_score_overflows():
    scores, target = 300 * torch.randn(50, 3, dtype=torch.float64), torch.randint(0, 3, (50,))
    expected = sum(
        max(s + (j != y) for j, s in enumerate(row)) - row[y]
        for row, y in zip(scores.tolist(), target.tolist(), strict=True)
    )
    assert smooth_top1_svm(scores, target, tau=1e-3).mean().item() == pytest.approx(expected / 50, abs=1e-3)
    assert smooth_top1_svm(scores.float() * 1e30, target).isfinite().all()


def test_the_hinge_loss_of_far_scores_differs_by_less_than_three_thousandths():
    """Where the authors' code leaves the smooth loss: two scores that are tau log 1000 apart, or more."""
    for gap in (math.log(1000), 8.0, 20.0):
        for score in (gap, -gap):  # of the target; the other class has 0
            loss = smooth_top1_svm(torch.tensor([[score, 0.0]], dtype=torch.float64), torch.tensor([0])).item()
            hinge = max(score, 0 + 1) - score
            assert 0 <= loss - hinge < 0.003


def test_gradients_are_those_of_finite_differences():
    scores = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    target = torch.tensor([0, 2, 1, 1, 0, 2])
    torch.autograd.gradcheck(lambda s: smooth_top1_svm(s, target, tau=0.7, margin=1.3), (scores,), atol=1e-8)


def test_half_precision_is_computed_in_float32():
    scores, target = torch.randn(5, 2).bfloat16(), torch.tensor([0, 1, 1, 0, 1])
    loss = smooth_top1_svm(scores, target)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, smooth_top1_svm(scores.float(), target))


def test_clam_loss_of_two_cases_and_three_classes_by_hand():
    """Scores (0, x) of a class: the loss of target 1 is log(1 + e^(1 - x)), that of target 0 is log(1 + e^(1 + x))."""
    x = torch.tensor([[1.0, -2, 0], [0.5, 0, 3], [2, 1, -1], [1, 4, 0], [-1, 0.5, 2]], dtype=torch.float64)  # (R, C)
    logits = torch.stack([torch.zeros_like(x), x], dim=2)  # (R, C, 2)
    case, attended = torch.tensor([0, 0, 0, 1, 1]), torch.tensor([True, True, False, True, False])
    inside, outside = (lambda v: math.log1p(math.exp(1 - v))), (lambda v: math.log1p(math.exp(1 + v)))
    first = (
        (outside(1) + outside(0.5)) / 2  # class 0
        + (inside(-2) + inside(0) + outside(1)) / 3  # class 1, the label: most and least attended
        + (outside(0) + outside(3)) / 2  # class 2
    )
    second = outside(1) + outside(4) + (inside(0) + outside(2)) / 2  # the label is class 2
    got = clam_instance_loss(InstanceLogits(logits, case, attended, 2), torch.tensor([1, 2]))
    assert got.item() == pytest.approx((first / 3 + second / 3) / 2, rel=1e-12)


def test_clam_loss_gradients_are_those_of_finite_differences():
    logits = torch.randn(6, 2, 2, dtype=torch.float64, requires_grad=True)
    case, attended = torch.tensor([0, 0, 0, 0, 1, 1]), torch.tensor([True, True, False, False, True, False])
    loss = lambda s: clam_instance_loss(InstanceLogits(s, case, attended, 2), torch.tensor([1, 0]))  # noqa: E731
    torch.autograd.gradcheck(loss, (logits,), atol=1e-8)


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match=r"got logits \(3, 2\), target \(3, 1\)"):
        smooth_top1_svm(torch.zeros(3, 2), torch.zeros(3, 1).long())
    with pytest.raises(ValueError, match="got tau 0, expected a number above 0"):
        smooth_top1_svm(torch.zeros(3, 2), torch.zeros(3).long(), tau=0)
    instances = InstanceLogits(torch.zeros(2, 3, 2), torch.tensor([0, 1]), torch.tensor([True, True]), 2)
    with pytest.raises(ValueError, match=r"got label of shape \(3,\), expected \(2,\)"):
        clam_instance_loss(instances, torch.tensor([0, 1, 2]))
