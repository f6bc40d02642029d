"""Every model on a GPU, as far as that can be pretended: the numbers of the CPU, and no wait between launches."""

from __future__ import annotations

import pytest
import torch

from models import MODELS, build_model
from tests.models.bags import DIM_IN, EMBED_DIM, N_ANCHORS, batch_of, draw_slides
from tests.pretend_gpu import pretend_gpu, to_cpu

MICO = {"embed_dim": EMBED_DIM, "n_anchors": N_ANCHORS}
VARIANTS = {
    **{name: (name, {}) for name in MODELS},
    "mico": ("mico", MICO),
    "mico, paper": ("mico", {**MICO, "formulation": "paper"}),
    "mico, hard": ("mico", {**MICO, "assignment": "hard"}),
    "mico, dot": ("mico", {**MICO, "similarity": "dot"}),
    "mico, without reducer": ("mico", {**MICO, "ablate": ["reducer"]}),
    "mico, without route": ("mico", {**MICO, "ablate": ["route"]}),
    "mico in blocks": ("mico", {**MICO, "recompute_above": 20}),
    "mico in blocks, paper": ("mico", {**MICO, "formulation": "paper", "recompute_above": 20}),
    "patchgcn, features": ("patchgcn", {"graph": "features"}),
}
CASES = [[17, 30], [9], [3, 1, 12]]


def made(variant: str) -> torch.nn.Module:
    name, options = VARIANTS[variant]
    torch.manual_seed(0)
    model = build_model(name, dim_in=DIM_IN, n_outputs=3, **options)
    if "blocks" in variant:
        model.block_rows = 16
    return model


def a_batch() -> tuple[torch.Tensor, ...]:
    slides = iter(draw_slides([size for case in CASES for size in case]))
    features, slide_index, case_index = batch_of([[next(slides) for _ in case] for case in CASES])
    coords = torch.randint(0, 50, (len(features), 2), generator=torch.Generator().manual_seed(0)) * 256
    return features.float(), slide_index, case_index, coords


def passed(model, features, slide_index, case_index, coords, anchors=None):
    """Logits, attention and gradients of one pass, without dropout."""
    for module in model.modules():  # those of the CPU and of a GPU are drawn differently
        for name in ("p", "rate"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
    torch.manual_seed(0)  # DTFD-MIL draws its pseudo-bags
    out = model(features, slide_index, case_index, anchors=anchors, coords=coords)
    logits = [out.logits, *(each.logits for each in out.supervised or ())]
    sum(each.float().square().sum() for each in logits).backward()
    return [out.logits.detach(), out.attention.detach(), *(p.grad for p in model.parameters() if p.grad is not None)]


@pytest.mark.parametrize("variant", VARIANTS)
def test_training_gives_the_numbers_of_the_cpu_and_waits_for_nothing(variant):
    features, *rest = a_batch()
    expected = passed(made(variant).train(), features, *rest)
    with pretend_gpu() as counts:
        model = made(variant).to("cuda").train()
        on_gpu = features.to("cuda")
        counts.clear()
        found = passed(model, on_gpu, *rest)
        assert counts.waits == {}
    assert counts.copies_to_cpu == 0
    for a, b in zip(to_cpu(found), expected, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_prediction_gives_the_numbers_of_the_cpu_and_waits_for_nothing(variant):
    features, slide_index, case_index, coords = a_batch()
    with torch.no_grad():
        expected = made(variant).eval()(features, slide_index, case_index, coords=coords)
        with pretend_gpu() as counts:
            model = made(variant).to("cuda").eval()
            on_gpu = features.to("cuda")
            counts.clear()
            found = model(on_gpu, slide_index, case_index, coords=coords)
            assert counts.waits == {}
    torch.testing.assert_close(to_cpu(found.logits), expected.logits, rtol=0, atol=0)
    torch.testing.assert_close(to_cpu(found.attention), expected.attention, rtol=0, atol=0)


@pytest.mark.parametrize("variant", ["mico", "mico, paper", "mico in blocks", "mico in blocks, paper"])
def test_slide_anchors(variant):
    features, *rest = a_batch()
    anchors = torch.randn(6, N_ANCHORS, DIM_IN, generator=torch.Generator().manual_seed(2))
    expected = passed(made(variant), features, *rest, anchors)
    with pretend_gpu() as counts:
        model = made(variant).to("cuda")
        on_gpu, anchors_on_gpu = features.to("cuda"), anchors.to("cuda")
        counts.clear()
        found = passed(model, on_gpu, *rest, anchors_on_gpu)
        assert counts.waits == {}
    for a, b in zip(to_cpu(found), expected, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("variant", VARIANTS)
def test_16_bits(variant, dtype):
    features, slide_index, case_index, coords = a_batch()
    with pretend_gpu() as counts:
        model = made(variant).to("cuda").train()
        on_gpu = features.half().to("cuda")
        counts.clear()
        with torch.autocast("cuda", dtype):
            out = model(on_gpu, slide_index, case_index, coords=coords)
        out.logits.float().sum().backward()
        assert counts.waits == {}
    assert to_cpu(out.logits).isfinite().all()


def test_indices_on_the_gpu_give_the_same_and_are_waited_for():
    features, slide_index, case_index, _ = a_batch()
    with pretend_gpu() as counts, torch.no_grad():
        model = made("mico").to("cuda").eval()
        on_gpu = features.to("cuda")
        expected = model(on_gpu, slide_index, case_index).logits
        indices = slide_index.to("cuda"), case_index.to("cuda")
        counts.clear()
        found = model(on_gpu, *indices).logits
        assert sum(counts.waits.values()) == 2
    assert torch.equal(to_cpu(found), to_cpu(expected))
