"""CLAM-SB against torchmil's, against choices worked by hand, and against itself in other batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from models.baselines.clam_sb import CLAMSB, extremes
from models.baselines.instance_loss import clam_instance_loss
from models.kernels.segment_ops import Segments
from tests.models.bags import DIM_IN, batch_of, draw_slides
from tests.reference.tolerance import relative_error

VECTORS = Path(__file__).parents[2] / "data" / "torchmil_clam_sb.npz"


def small_model(seed: int = 0, n_outputs: int = 3) -> CLAMSB:
    torch.manual_seed(seed)
    return CLAMSB(dim_in=DIM_IN, n_outputs=n_outputs, embed_dim=8).double().eval()


def test_equals_torchmil():
    """Outputs, loss and gradients of torchmil 1.0.2 (torch 2.13.0, float64) for bags of 21, 6 and 1 patches.

    Made with `CLAM_SB(in_shape=(10,), att_dim=4, k_sample=8, gated=True, feat_ext=Linear(10, 8) + ReLU)`, its bag head
    replaced by Linear(8, 2), one bag a call: cross entropy of the logits, and `compute_inst_loss` divided by cases and
    classes (torchmil adds them up). Its SmoothTop1SVM takes the logarithm of the sum over rows instead of classes when
    targets are (n, 1), as its CLAM passes them; in its place stood the same formula from torchmil's `delta` and
    `log_sum_exp` with targets (n,). That runs in float32. The loss is 0.7 bag + 0.3 instance; its attention scorer has
    no bias.
    """
    arrays = np.load(VECTORS)
    model = CLAMSB(dim_in=10, n_outputs=2, embed_dim=8).double().eval()
    parameters = {name.removeprefix("param/"): torch.from_numpy(arrays[name]) for name in arrays if "param/" in name}
    parameters["attention_pool.attention_scorer.bias"] = torch.zeros(1)
    model.load_state_dict(parameters)

    label = torch.from_numpy(arrays["label"])
    out = model(*batch_of([[torch.from_numpy(arrays[f"bag/{i}"])] for i in range(3)]))
    bag_loss, instance_loss = F.cross_entropy(out.logits, label), clam_instance_loss(out.instances, label)
    assert relative_error(out.logits, torch.from_numpy(arrays["logits"])) < 1e-12
    assert relative_error(out.attention, torch.from_numpy(arrays["attention"])) < 1e-12
    assert bag_loss.item() == pytest.approx(float(arrays["bag_loss"]), rel=1e-12)
    assert instance_loss.item() == pytest.approx(float(arrays["instance_loss"]), rel=1e-6)

    (0.7 * bag_loss + 0.3 * instance_loss).backward()
    gradients = {name: p.grad for name, p in model.named_parameters()}
    assert gradients.pop("attention_pool.attention_scorer.bias").abs().max() < 1e-12  # a softmax ignores it
    assert gradients.keys() == {name.removeprefix("grad/") for name in arrays if "grad/" in name}
    for name, gradient in gradients.items():
        assert relative_error(gradient, torch.from_numpy(arrays[f"grad/{name}"])) < 1e-5, name


def test_the_extremes_of_two_cases_by_hand():
    #                 case 0: five patches                case 1: two patches, fewer than k = 3
    attention = torch.tensor([0.1, 0.4, 0.05, 0.25, 0.2, 0.3, 0.7])
    cases = Segments.from_index(torch.tensor([0, 0, 0, 0, 0, 1, 1]), 2)
    rows, attended = extremes(attention, cases, 3)
    assert rows.tolist() == [1, 3, 4, 2, 0, 4, 6, 5, 5, 6]
    assert attended.tolist() == [True] * 3 + [False] * 3 + [True] * 2 + [False] * 2


def test_of_equal_patches_the_first_are_taken_on_both_sides():
    rows, _ = extremes(torch.full((40,), 0.025), Segments.from_index(torch.zeros(40).long(), 1), 2)
    assert rows.tolist() == [0, 1, 0, 1]


def test_the_instance_classifiers_see_the_projected_extremes():
    model = small_model()
    slides = draw_slides([9, 5])
    out = model(*batch_of([slides]))
    order = out.attention.argsort()
    patches = F.relu(model.projector[0](torch.cat(slides)))
    chosen = patches[torch.cat([order.flip(0)[:8], order[:8]])]
    expected = torch.stack([chosen @ layer.weight.T + layer.bias for layer in model.instance_classifiers], dim=1)
    torch.testing.assert_close(out.instances.logits, expected)
    assert out.instances.attended.tolist() == [True] * 8 + [False] * 8


def test_a_batch_is_its_cases_one_by_one():
    model = small_model()
    cases = [draw_slides([30, 4]), draw_slides([1], seed=2), draw_slides([3, 2, 6], seed=3)]
    together, alone = model(*batch_of(cases)), [model(*batch_of([case])) for case in cases]
    assert_close(together.logits, torch.cat([out.logits for out in alone]))
    assert_close(together.attention, torch.cat([out.attention for out in alone]))
    assert_close(together.instances.logits, torch.cat([out.instances.logits for out in alone]))
    assert torch.equal(together.instances.attended, torch.cat([out.instances.attended for out in alone]))
    assert together.instances.case.bincount().tolist() == [16, 2, 16]


def test_the_order_of_the_patches_does_not_matter():
    model, rows = small_model(), torch.cat(draw_slides([30]))
    order = torch.randperm(30)
    out, permuted = model(*batch_of([[rows]])), model(*batch_of([[rows[order]]]))
    assert_close(permuted.logits, out.logits)
    assert_close(permuted.attention, out.attention[order])
    assert_close(permuted.instances.logits, out.instances.logits)


def test_one_patch_has_all_the_attention():
    out = small_model()(*batch_of([draw_slides([1])]))
    assert out.attention.tolist() == [1.0]
    assert out.instances.logits.shape == (2, 3, 2)


def test_the_instance_loss_does_not_reach_the_attention():
    model = small_model()
    out = model(*batch_of([draw_slides([30])]))
    clam_instance_loss(out.instances, torch.tensor([1])).backward()
    assert all(p.grad is None for p in model.attention_pool.parameters())
    assert all(
        p.grad.abs().max() > 0 for p in [*model.projector.parameters(), *model.instance_classifiers.parameters()]
    )


def test_every_parameter_is_trained():
    model = small_model()
    out = model(*batch_of([draw_slides([30, 4]), draw_slides([5], seed=2)]))
    label = torch.tensor([2, 0])
    (F.cross_entropy(out.logits, label) + clam_instance_loss(out.instances, label)).backward()
    for name, parameter in model.named_parameters():
        assert name == "attention_pool.attention_scorer.bias" or parameter.grad.abs().max() > 1e-12, name


def test_parameter_count_of_the_paper():
    """Projection 524,800; V and U 2 x 131,328; w 257; bag head 1,026; two instance classifiers of 1,026."""
    assert sum(p.numel() for p in CLAMSB(dim_in=1024, n_outputs=2).parameters()) == 790_791


def test_bfloat16_stays_near_float32():
    model, batch = small_model().float(), batch_of([draw_slides([400])])
    features, slide_index, case_index = batch
    exact = model(features.float(), slide_index, case_index)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(features.float(), slide_index, case_index)
    assert out.attention.dtype == torch.float32
    assert out.attention.sum().item() == pytest.approx(1, abs=1e-5)
    assert relative_error(out.logits.float(), exact.logits) < 0.02


def assert_close(got: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-10)
