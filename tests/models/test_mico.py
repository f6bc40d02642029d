"""MiCo against the released vectors, against a loop written from the equations, and against itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from models import build_model
from models.losses import hazards, log_survival
from tests.models.bags import DIM_IN, N_ANCHORS, batch_of, draw_slides, small_model
from tests.reference.mico_loop import mico_case
from tests.reference.released import released_model
from tests.reference.tolerance import relative_error

VECTORS = sorted((Path(__file__).parents[1] / "data").glob("released_*.npz"))
VARIANTS = {
    "released-l2-soft": {"formulation": "released"},
    "released-dot-soft": {"formulation": "released", "similarity": "dot"},
    "released-l2-hard": {"formulation": "released", "assignment": "hard"},
    "released-dot-hard": {"formulation": "released", "similarity": "dot", "assignment": "hard"},
    "paper": {"formulation": "paper"},
}
every_variant = pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS.keys())


def test_all_four_reference_files_are_there():
    assert len(VECTORS) == 4


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
@pytest.mark.parametrize("prefix", ["", "model."])
def test_released_vectors(path: Path, prefix: str):
    arrays = np.load(path)
    config = json.loads(str(arrays["config"]))
    model = released_model(arrays, prefix=prefix)

    slides = [torch.from_numpy(arrays[name]) for name in sorted(arrays.files) if name.startswith("slide/")]
    logits = model(*batch_of([slides])).logits
    if config["survival"]:
        hazard, survival = hazards(logits), log_survival(logits).exp()
        assert relative_error(hazard, torch.from_numpy(arrays["hazards"])) < 1e-5
        assert relative_error(survival, torch.from_numpy(arrays["S"])) < 1e-5
        loss = -(torch.log(survival[0, 1] + 1e-7) + torch.log(hazard[0, 2] + 1e-7))
    else:
        assert (logits - torch.from_numpy(arrays["logits"])).abs().max() < 1e-5
        loss = F.cross_entropy(logits, torch.tensor([1]))
    assert loss.item() == pytest.approx(float(arrays["loss"]), abs=1e-5)

    loss.backward()
    gradients = {name.removeprefix("grad/"): arrays[name] for name in arrays.files if name.startswith("grad/")}
    named = dict(model.named_parameters())
    assert set(gradients) == set(named) - {"similarity_bias"}  # never used, so it has none
    for name, expected in gradients.items():
        if name == "attention_network.attention_scorer.bias":  # a softmax ignores it: rounding on both sides
            assert named[name].grad.abs().max() < 1e-6
        else:
            assert relative_error(named[name].grad, torch.from_numpy(expected)) < 1e-4, name


@every_variant
@pytest.mark.parametrize("sizes", [[7, 12], [1], [3, 1, 2], [40]], ids=str)
def test_equals_the_loop_from_the_equations(options: dict, sizes: list[int]):
    """Outputs and gradients to 1e-8 relative; 8 anchors, so M = 1, M < K and anchors that no patch chose are in."""
    model, slides = small_model(**options), draw_slides(sizes)
    out = model(*batch_of([slides]))
    F.cross_entropy(out.logits, torch.tensor([1])).backward()
    got = {name: parameter.grad for name, parameter in model.named_parameters()}

    parameters = {name: value.detach().clone().requires_grad_() for name, value in model.named_parameters()}
    logits, attention = mico_case(parameters, slides, **options)
    F.cross_entropy(logits.unsqueeze(0), torch.tensor([1])).backward()

    assert relative_error(out.logits[0], logits) < 1e-8
    assert relative_error(out.attention, torch.cat(attention)) < 1e-8
    unused = {"similarity_bias"} | ({"similarity_scale"} if options["formulation"] == "paper" else set())
    for name, value in parameters.items():
        if name in unused:
            assert got[name] is None
            assert value.grad is None
        elif name == "attention_network.attention_scorer.bias":
            assert got[name].abs().max() < 1e-12
        else:
            assert relative_error(got[name], value.grad) < 1e-8, name


@every_variant
def test_slide_anchors_equal_the_loop(options: dict):
    model, slides = small_model(**options), draw_slides([5, 9])
    anchors = torch.randn(2, N_ANCHORS, DIM_IN, dtype=torch.float64)
    parameters = dict(model.named_parameters())
    logits, _ = mico_case(parameters, slides, slide_anchors=list(anchors), **options)
    assert relative_error(model(*batch_of([slides]), anchors=anchors).logits[0], logits) < 1e-8


@every_variant
def test_slide_anchors_equal_to_the_data_set_anchors_change_nothing(options: dict):
    model, batch = small_model(**options), batch_of([draw_slides([5, 9]), draw_slides([4], seed=2)])
    copies = model.cluster_centers.detach().expand(3, -1, -1)
    for got, expected in zip(model(*batch, anchors=copies), model(*batch), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-12)


@every_variant
@pytest.mark.parametrize("slide_anchors", [False, True])
def test_a_batch_is_its_cases_one_by_one(options: dict, slide_anchors: bool):
    model = small_model(**options)
    cases = [draw_slides([6, 11], seed=1), draw_slides([1], seed=2), draw_slides([9, 2, 14], seed=3)]
    labels = torch.tensor([0, 2, 1])
    anchors = torch.randn(6, N_ANCHORS, DIM_IN, dtype=torch.float64) if slide_anchors else None

    together = model(*batch_of(cases), anchors=anchors)
    F.cross_entropy(together.logits, labels, reduction="sum").backward()
    batch_gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    model.zero_grad()
    patch, slide = 0, 0
    for index, case in enumerate(cases):
        own = None if anchors is None else anchors[slide : slide + len(case)]
        alone = model(*batch_of([case]), anchors=own)
        F.cross_entropy(alone.logits, labels[index : index + 1], reduction="sum").backward()
        rows = slice(patch, patch + sum(len(s) for s in case))
        assert relative_error(together.logits[index], alone.logits[0]) < 1e-9
        assert relative_error(together.attention[rows], alone.attention) < 1e-9
        assert torch.equal(together.assignment[rows], alone.assignment)
        patch, slide = rows.stop, slide + len(case)
    for name, p in model.named_parameters():
        if name in batch_gradients and name != "attention_network.attention_scorer.bias":
            assert relative_error(batch_gradients[name], p.grad) < 1e-9, name


@every_variant
def test_permuting_the_patches_of_a_slide_changes_nothing(options: dict):
    model, slides = small_model(**options), draw_slides([13, 6])
    order = torch.randperm(13)
    before = model(*batch_of([slides]))
    after = model(*batch_of([[slides[0][order], slides[1]]]))
    assert relative_error(after.logits, before.logits) < 1e-9
    assert relative_error(after.attention[:13], before.attention[:13][order]) < 1e-9
    assert torch.equal(after.assignment[:13], before.assignment[:13][order])


@every_variant
def test_attention_of_patches_and_remaining_anchors_sums_to_one(options: dict):
    """The one remaining anchor per slide has the rest, which is neither nothing nor everything."""
    model = small_model(**options)
    out = model(*batch_of([draw_slides([13, 6])]))
    assert 0.5 < out.attention.sum().item() < 1


@every_variant
def test_a_slide_without_patches_is_its_anchors(options: dict):
    """The reader refuses empty files; after patch selection a slide may be empty, and the model must not fail."""
    model = small_model(**options)
    out = model(torch.empty(0, DIM_IN, dtype=torch.float64), torch.empty(0, dtype=torch.long), torch.zeros(1).long())
    assert out.logits.shape == (1, 3)
    assert torch.isfinite(out.logits).all()
    assert out.attention.shape == out.assignment.shape == (0,)


def test_forms_share_parameters_and_differ_in_output():
    released, paper = small_model("released"), small_model("paper", seed=5)
    paper.load_state_dict(released.state_dict())
    batch = batch_of([draw_slides([7, 12])])
    assert (released(*batch).logits - paper(*batch).logits).abs().max() > 1e-3


def test_state_dict_has_the_released_names_and_loads_again():
    arrays = np.load(VECTORS[-1])
    released = {name.removeprefix("param/") for name in arrays.files if name.startswith("param/")}
    model = small_model()
    assert set(model.state_dict()) == released
    other = small_model(seed=9)
    other.load_released_state_dict(model.state_dict())
    batch = batch_of([draw_slides([5])])
    assert torch.equal(model(*batch).logits, other(*batch).logits)


def test_loading_a_state_dict_that_lacks_a_parameter_names_it():
    state = small_model().state_dict()
    del state["classifier.bias"]
    with pytest.raises(RuntimeError, match=r"classifier\.bias"):
        small_model().load_released_state_dict(state)


@every_variant
def test_every_parameter_that_the_form_uses_receives_a_gradient(options: dict):
    model = small_model(**options).train()
    F.cross_entropy(model(*batch_of([draw_slides([30, 30])])).logits, torch.tensor([1])).backward()
    without = {name for name, p in model.named_parameters() if p.grad is None}
    assert without == {"similarity_bias"} | ({"similarity_scale"} if options["formulation"] == "paper" else set())
    for name, p in model.named_parameters():
        if name not in without and name != "attention_network.attention_scorer.bias":
            assert p.grad.abs().max() > 0, name


def test_dropout_acts_in_training_only():
    model, batch = small_model(dropout=0.5), batch_of([draw_slides([20])])
    assert torch.equal(model(*batch).logits, model(*batch).logits)
    model.train()
    assert not torch.equal(model(*batch).logits, model(*batch).logits)


@pytest.mark.parametrize("options", [{"formulation": "released"}, {"formulation": "paper"}], ids=str)
def test_bfloat16_autocast_stays_near_float32(options: dict):
    model, batch = small_model(**options).float(), batch_of([[s.float() for s in draw_slides([50, 70])]])
    full = model(*batch).logits
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = model(*batch).logits
    assert (half.float() - full).abs().max() < 0.05


def test_initialise_anchors():
    model = small_model()
    anchors = torch.randn(N_ANCHORS, DIM_IN)
    model.initialise_anchors(anchors)
    assert torch.equal(model.cluster_centers.float(), anchors)
    assert model.cluster_centers.requires_grad
    with pytest.raises(ValueError, match=r"\(7, 10\), expected \(8, 10\)"):
        model.initialise_anchors(anchors[:7])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"formulation": "other"}, "formulation 'other', expected one of: released, paper"),
        ({"similarity": "cosine"}, "similarity 'cosine'"),
        ({"assignment": "fuzzy"}, "assignment 'fuzzy'"),
        ({"formulation": "paper", "similarity": "dot"}, "paper form, which fixes both"),
        ({"n_anchors": 20}, "20 anchors for 3 stages"),
        ({"n_stages": 0}, "got n_stages 0, expected a whole number from 1 to 20"),
    ],
)
def test_impossible_options_are_refused(options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        build_model("mico", dim_in=4, n_outputs=2, **options)


def test_shapes_that_do_not_belong_together_are_refused():
    model = small_model()
    features, slide_index, case_index = batch_of([draw_slides([5, 6])])
    with pytest.raises(ValueError, match=r"features of shape \(11, 9\), expected \(N, 10\)"):
        model(features[:, :9], slide_index, case_index)
    with pytest.raises(ValueError, match=r"slide_index of shape \(10,\), expected \(11,\)"):
        model(features, slide_index[:10], case_index)
    with pytest.raises(ValueError, match=r"non-decreasing within 0 .. 1"):
        model(features, slide_index.flip(0), case_index)
    with pytest.raises(ValueError, match=r"non-decreasing within 0 .. 0"):
        model(features, slide_index, case_index[:1])
    with pytest.raises(ValueError, match=r"case_index \[1, 1\]"):
        model(features, slide_index, case_index + 1)
    with pytest.raises(ValueError, match=r"slide anchors of shape \(1, 8, 10\), expected \(2, 8, 10\)"):
        model(features, slide_index, case_index, anchors=torch.zeros(1, 8, 10, dtype=torch.float64))
