"""DSMIL against torchmil's, against a loop written from the paper, and against itself in other batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from models.baselines.dsmil import DSMIL, critical_patches
from models.kernels.segment_ops import Segments
from models.output import BagOutput
from tests.models.bags import DIM_IN, batch_of, draw_slides
from tests.reference.dsmil_loop import dsmil_case
from tests.reference.tolerance import relative_error

VECTORS = Path(__file__).parents[2] / "data" / "torchmil_dsmil.npz"


def small_model(seed: int = 0) -> DSMIL:
    torch.manual_seed(seed)
    return DSMIL(dim_in=DIM_IN, n_outputs=3, embed_dim=8).double().eval()


def streams_loss(out: BagOutput, label: Tensor) -> Tensor:
    return sum(F.cross_entropy(stream.logits, label[stream.case]) for stream in out.supervised)


def test_equals_torchmil(monkeypatch: pytest.MonkeyPatch):
    """Both streams, the attention of each class and gradients of torchmil 1.0.2 (torch 2.13.0, float64).

    Made for bags of 21, 6 and 1 patches with two of `DSMIL(in_shape=(10,), att_dim=6, nonlinear_q=True,
    nonlinear_v=True, feat_ext=Linear(10, 8) + ReLU)`, which share the feature extractor, `q_nn` and `v_nn`: torchmil
    has one output, so each is one class. The loss is the cross entropy of the stacked maxima plus that of the stacked
    bag predictions. Here queries are 6 wide as there, to keep the file small, and no bag logit depends on the embedding
    of another class.
    """
    monkeypatch.setattr("models.baselines.dsmil.QUERY_DIM", 6)
    arrays = {name: torch.from_numpy(value) for name, value in np.load(VECTORS).items()}
    model = DSMIL(dim_in=10, n_outputs=2, embed_dim=8).double().eval()
    shared = {
        name.removeprefix("param/"): v
        for name, v in arrays.items()
        if name.startswith("param/") and "class" not in name
    }
    assert not model.load_state_dict(shared, strict=False).unexpected_keys
    with torch.no_grad():
        model.bag_classifier.weight.zero_()
        for c in range(2):
            model.instance_classifier.weight[c] = arrays[f"param/class_{c}/instance_classifier.weight"][0]
            model.instance_classifier.bias[c] = arrays[f"param/class_{c}/instance_classifier.bias"][0]
            model.bag_classifier.weight[c, c] = arrays[f"param/class_{c}/bag_classifier.weight"][0]
            model.bag_classifier.bias[c] = arrays[f"param/class_{c}/bag_classifier.bias"][0]

    out = model(*batch_of([[arrays[f"bag/{i}"]] for i in range(3)]))
    loss = streams_loss(out, arrays["label"])
    assert relative_error(out.supervised[0].logits, arrays["max_logits"]) < 1e-12
    assert relative_error(out.supervised[1].logits, arrays["bag_logits"]) < 1e-12
    assert relative_error(out.logits, (arrays["max_logits"] + arrays["bag_logits"]) / 2) < 1e-12
    assert relative_error(out.attention, arrays["class_attention"].mean(dim=1)) < 1e-12
    assert loss.item() == pytest.approx(arrays["loss"].item(), rel=1e-12)

    loss.backward()
    named = dict(model.named_parameters())
    for name in shared:
        assert relative_error(named[name].grad, arrays[f"grad/{name}"]) < 1e-10, name
    for c in range(2):
        for layer in ("instance_classifier", "bag_classifier"):
            weight, bias = named[f"{layer}.weight"].grad[c], named[f"{layer}.bias"].grad[c]
            weight = weight[c] if layer == "bag_classifier" else weight
            assert relative_error(weight, arrays[f"grad/class_{c}/{layer}.weight"][0]) < 1e-10
            assert relative_error(bias, arrays[f"grad/class_{c}/{layer}.bias"][0]) < 1e-10


@pytest.mark.parametrize("sizes", [[7, 12], [1], [3, 1, 2]], ids=str)
def test_equals_the_loop_from_the_paper(sizes: list[int]):
    """With all weights of the bag classifier, three classes and queries of width 128; outputs and gradients."""
    model, slides = small_model(), draw_slides(sizes)
    out = model(*batch_of([slides]))
    streams_loss(out, torch.tensor([1])).backward()
    got = {name: parameter.grad for name, parameter in model.named_parameters()}

    parameters = {name: value.detach().clone().requires_grad_() for name, value in model.named_parameters()}
    maximum, bag, attention = dsmil_case(parameters, torch.cat(slides))
    sum(F.cross_entropy(logits.unsqueeze(0), torch.tensor([1])) for logits in (maximum, bag)).backward()
    assert relative_error(out.supervised[0].logits[0], maximum) < 1e-10
    assert relative_error(out.supervised[1].logits[0], bag) < 1e-10
    assert relative_error(out.logits[0], (maximum + bag) / 2) < 1e-10
    assert relative_error(out.attention, attention.mean(dim=1)) < 1e-10
    for name, value in parameters.items():
        # One patch has all attention whatever its query: no gradient but for rounding.
        if sum(sizes) == 1 and name.startswith("query"):
            assert got[name].abs().max() < 1e-12
        else:
            assert relative_error(got[name], value.grad) < 1e-10, name


def test_critical_patches_by_hand():
    #                       case 0                     case 1              the first of equal scores
    scores = torch.tensor([[1.0, 5], [3, 2], [2, 5], [0, 9], [4, -1]])
    cases = Segments.from_index(torch.tensor([0, 0, 0, 1, 1]), 2)
    assert critical_patches(scores, cases).tolist() == [[1, 0], [4, 3]]


def test_a_batch_is_its_cases_one_by_one():
    model = small_model()
    cases = [draw_slides([30, 4]), draw_slides([1], seed=2), draw_slides([3, 2, 6], seed=3)]
    together, alone = model(*batch_of(cases)), [model(*batch_of([case])) for case in cases]
    assert_close(together.logits, torch.cat([out.logits for out in alone]))
    assert_close(together.attention, torch.cat([out.attention for out in alone]))
    for stream in range(2):
        assert together.supervised[stream].case.tolist() == [0, 1, 2]
        expected = torch.cat([out.supervised[stream].logits for out in alone])
        assert_close(together.supervised[stream].logits, expected)


def test_the_order_of_the_patches_does_not_matter():
    model, rows = small_model(), torch.cat(draw_slides([30]))
    order = torch.randperm(30)
    out, permuted = model(*batch_of([[rows]])), model(*batch_of([[rows[order]]]))
    assert_close(permuted.logits, out.logits)
    assert_close(permuted.attention, out.attention[order])


def test_every_parameter_is_trained():
    model = small_model()
    out = model(*batch_of([draw_slides([30, 4]), draw_slides([5], seed=2)]))
    streams_loss(out, torch.tensor([2, 0])).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.abs().max() > 1e-12, name


def test_parameter_count():
    """Projection 524,800; instance classifier 1,026; queries 65,664 + 16,512; values 262,656; bag classifier 2,050."""
    count = sum(p.numel() for p in DSMIL(dim_in=1024, n_outputs=2).parameters())
    assert count == 524_800 + 1_026 + 65_664 + 16_512 + 262_656 + 2_050


def test_bfloat16_sums_over_patches_in_float32():
    """Of 20,000 equal patches the embedding is their value to float32 rounding; a 16-bit result is coarser."""
    model = small_model().float()
    seen: dict[str, Tensor] = {}
    model.value.register_forward_hook(lambda _, inputs, output: seen.update(values=output))
    model.bag_classifier.register_forward_hook(lambda _, inputs, output: seen.update(embeddings=inputs[0]))
    features = torch.cat(draw_slides([1])).float().expand(20_000, -1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(features, torch.zeros(20_000).long(), torch.zeros(1).long())
    assert seen["values"].dtype == torch.bfloat16
    assert seen["embeddings"].dtype == out.attention.dtype == torch.float32
    torch.testing.assert_close(seen["embeddings"][0], seen["values"][:3].float(), rtol=5e-4, atol=0)
    assert out.attention.sum().item() == pytest.approx(1, abs=5e-4)


def assert_close(got: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-10)
