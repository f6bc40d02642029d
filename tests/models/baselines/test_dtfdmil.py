"""DTFD-MIL against a loop written from the paper, the split into pseudo-bags, and itself in other batches."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from models.baselines.dtfdmil import DTFDMIL, assign_pseudo_bags
from models.kernels.segment_ops import Segments
from models.output import BagOutput
from tests.models.bags import DIM_IN, batch_of, draw_slides
from tests.reference.dtfdmil_loop import dtfdmil_case
from tests.reference.tolerance import relative_error


def small_model(seed: int = 0, dropout: float = 0.05) -> DTFDMIL:
    torch.manual_seed(seed)
    return DTFDMIL(dim_in=DIM_IN, n_outputs=3, embed_dim=8, dropout=dropout).double().eval()


def tiers_loss(out: BagOutput, label: Tensor) -> Tensor:
    return sum(F.cross_entropy(tier.logits, label[tier.case]) for tier in out.supervised)


def in_turn(n_patches: int) -> list[list[int]]:
    n = min(5, n_patches)
    return [list(range(p, n_patches, n)) for p in range(n)]


def assert_equals_loop(model: DTFDMIL, out: BagOutput, features: Tensor, pseudo_bags: list[list[int]]) -> None:
    """Outputs and gradients of a case with label 1 to 1e-10 relative."""
    tiers_loss(out, torch.tensor([1])).backward()
    got = {name: parameter.grad for name, parameter in model.named_parameters()}
    parameters = {name: value.detach().clone().requires_grad_() for name, value in model.named_parameters()}
    tier_1, tier_2, attention = dtfdmil_case(parameters, features, pseudo_bags)
    label = torch.ones(len(pseudo_bags)).long()
    (F.cross_entropy(tier_1, label) + F.cross_entropy(tier_2.unsqueeze(0), label[:1])).backward()
    assert relative_error(out.supervised[0].logits, tier_1) < 1e-10
    assert relative_error(out.supervised[1].logits[0], tier_2) < 1e-10
    assert relative_error(out.logits[0], tier_2) < 1e-10
    assert relative_error(out.attention, attention) < 1e-10
    for name, value in parameters.items():
        if value.grad.abs().max() > 1e-12:
            assert relative_error(got[name], value.grad) < 1e-10, name
        else:  # a softmax over one row, or the bias of any softmax: rounding on both sides
            assert got[name].abs().max() < 1e-12, name


@pytest.mark.parametrize("sizes", [[7, 12], [1], [2, 1], [3, 1, 1], [5, 1]], ids=str)
def test_equals_the_loop_in_evaluation(sizes: list[int]):
    model, slides = small_model(), draw_slides(sizes)
    features = torch.cat(slides)
    assert_equals_loop(model, model(*batch_of([slides])), features, in_turn(len(features)))


def test_equals_the_loop_in_training():
    """Without dropout, the random permutation is the first random number drawn."""
    model, slides = small_model(dropout=0.0).train(), draw_slides([9, 8])
    torch.manual_seed(4)
    pseudo_bag, _ = assign_pseudo_bags(Segments.from_index(torch.zeros(17).long(), 1), at_random=True)
    torch.manual_seed(4)
    out = model(*batch_of([slides]))
    members = [(pseudo_bag == p).nonzero().squeeze(1).tolist() for p in range(5)]
    assert members != in_turn(17)
    assert_equals_loop(model, out, torch.cat(slides), members)


def test_pseudo_bags_in_turn_by_hand():
    cases = Segments.from_index(torch.tensor([0] * 7 + [1] * 2 + [2] * 5), 3)
    pseudo_bag, case = assign_pseudo_bags(cases, at_random=False)
    assert pseudo_bag.tolist() == [0, 1, 2, 3, 4, 0, 1, 5, 6, 7, 8, 9, 10, 11]
    assert case.tolist() == [0] * 5 + [1] * 2 + [2] * 5


def test_random_pseudo_bags_are_balanced_and_follow_the_seed():
    cases = Segments.from_index(torch.tensor([0] * 17 + [1] * 3), 2)
    torch.manual_seed(0)
    drawn = [assign_pseudo_bags(cases, at_random=True) for _ in range(400)]
    for pseudo_bag, case in drawn:
        assert case.tolist() == [0] * 5 + [1] * 3
        assert sorted(pseudo_bag[:17].bincount().tolist()) == [3, 3, 3, 4, 4]
        assert sorted(pseudo_bag[17:].tolist()) == [5, 6, 7]
    # A patch of the larger case is in pseudo-bags 0 and 1 with probability 4 / 17, in the others with 3 / 17.
    shares = torch.stack([pseudo_bag[:17] for pseudo_bag, _ in drawn])[:, 16].bincount() / 400
    torch.testing.assert_close(shares, torch.tensor([4, 4, 3, 3, 3]) / 17, rtol=0, atol=0.07)
    torch.manual_seed(0)
    assert torch.equal(assign_pseudo_bags(cases, at_random=True)[0], drawn[0][0])


def test_a_batch_is_its_cases_one_by_one():
    model = small_model()
    cases = [draw_slides([30, 4]), draw_slides([1], seed=2), draw_slides([1, 2], seed=3)]
    together, alone = model(*batch_of(cases)), [model(*batch_of([case])) for case in cases]
    assert_close(together.logits, torch.cat([out.logits for out in alone]))
    assert_close(together.attention, torch.cat([out.attention for out in alone]))
    for tier in range(2):
        expected = torch.cat([out.supervised[tier].logits for out in alone])
        assert_close(together.supervised[tier].logits, expected)
    assert together.supervised[0].case.tolist() == [0] * 5 + [1] + [2] * 3
    assert together.supervised[1].case.tolist() == [0, 1, 2]


def test_the_order_within_a_pseudo_bag_does_not_matter():
    model, rows = small_model(), torch.cat(draw_slides([30]))
    order = torch.cat([torch.arange(25, 30), torch.arange(5, 25), torch.arange(5)])  # each keeps its number mod 5
    out, permuted = model(*batch_of([[rows]])), model(*batch_of([[rows[order]]]))
    assert_close(permuted.logits, out.logits)
    assert_close(permuted.attention, out.attention[order])


def test_the_attention_is_the_weight_in_the_embedding():
    """Linear heads: `logits = W sum_m attention_m h_m + b`, whatever the pseudo-bags."""
    model, slides = small_model(), draw_slides([12, 11])
    out = model(*batch_of([slides]))
    pooled = out.attention @ F.relu(model.projector[0](torch.cat(slides)))
    assert out.attention.sum().item() == pytest.approx(1, abs=1e-12)
    assert_close(out.logits[0], model.second_classifier(pooled))


def test_every_parameter_is_trained():
    model = small_model()
    out = model(*batch_of([draw_slides([30, 4]), draw_slides([5], seed=2)]))
    tiers_loss(out, torch.tensor([2, 0])).backward()
    for name, parameter in model.named_parameters():
        assert name.endswith("attention_scorer.bias") or parameter.grad.abs().max() > 1e-12, name


def test_parameter_count():
    """Projection 524,800; two attentions of 262,913; two heads of 1,026."""
    count = sum(p.numel() for p in DTFDMIL(dim_in=1024, n_outputs=2).parameters())
    assert count == 524_800 + 2 * 262_913 + 2 * 1_026


def test_bfloat16_stays_near_float32():
    model = small_model().float()
    features, slide_index, case_index = batch_of([draw_slides([400])])
    exact = model(features.float(), slide_index, case_index)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(features.float(), slide_index, case_index)
    assert out.attention.dtype == torch.float32
    assert out.attention.sum().item() == pytest.approx(1, abs=1e-5)
    assert relative_error(out.logits.float(), exact.logits) < 0.02


def assert_close(got: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-10)
