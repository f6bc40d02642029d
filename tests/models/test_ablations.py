"""Each ablation differs from the full model in what it promises, and in nothing else."""

from __future__ import annotations

import pytest
import torch

from models import build_model
from models.cluster_reducer import remaining_anchors
from models.kernels.segment_ops import Segments
from tests.models.bags import DIM_IN, EMBED_DIM, N_ANCHORS, batch_of, draw_slides, small_model

both_forms = pytest.mark.parametrize("formulation", ["released", "paper"])


def with_weights_of(model: torch.nn.Module, formulation: str, *ablate: str) -> torch.nn.Module:
    """The ablated model with all the weights of the full one that it has."""
    ablated = small_model(formulation, ablate=ablate)
    left = ablated.load_state_dict(
        {k: v for k, v in model.state_dict().items() if k in ablated.state_dict()}, strict=False
    )
    assert not left.missing_keys
    return ablated


def pooled_by(model: torch.nn.Module, patches: torch.Tensor, anchors: torch.Tensor, batch: tuple) -> tuple:
    """Logits and attention of these patches and remaining anchors."""
    rows, case_of_anchor = remaining_anchors(anchors, batch[2])
    z = model.aggregation_norm_layer(model.feature_processor(torch.cat([patches, rows])))
    case_of_row = torch.cat([batch[2][batch[1]], case_of_anchor])
    pooled, attention = model.attention_network(z, case_of_row, 1)
    return model.classifier(model.final_projector(pooled)), attention[: len(patches)]


@both_forms
def test_without_route_patches_neither_see_anchors_nor_one_another(formulation: str):
    full = small_model(formulation)
    ablated = with_weights_of(full, formulation, "route")
    assert ablated.state_dict().keys() == full.state_dict().keys()
    (slide,) = draw_slides([9])
    patches = full.patch_feature_projector(slide)
    anchors = full.cluster_center_projector(full.cluster_centers)
    batch = batch_of([[slide]])

    expected = patches  # each stage by hand, with a context of zero
    for index in range(full.n_stages):
        norm, mlp = full.enhancer_norm_layers[index], full.context_enhancers[index]
        if formulation == "paper":
            expected = norm(expected + mlp.fc2(torch.relu(mlp.fc1(expected + 0))))
        else:
            expected = norm(expected + 0)
            expected = expected + mlp.fc2(torch.relu(mlp.fc1(expected)))
        anchors = full.cluster_reducers[index](anchors)
    logits, _ = pooled_by(full, expected, anchors, batch)

    out = ablated(*batch)
    torch.testing.assert_close(out.logits, logits, rtol=1e-12, atol=1e-12)
    assert out.assignment is None
    assert (full(*batch).logits - logits).abs().max() > 1e-3  # the context does something in the full model


@both_forms
def test_without_reducer_all_anchors_pass_and_are_pooled(formulation: str):
    full = small_model(formulation)
    ablated = with_weights_of(full, formulation, "reducer")
    gone = full.state_dict().keys() - ablated.state_dict().keys()
    assert gone == {name for name in full.state_dict() if name.startswith("cluster_reducers.")}
    batch = batch_of([draw_slides([5, 6])])
    slides = Segments.from_index(batch[1], 2)
    patches, anchors = (
        ablated.patch_feature_projector(batch[0]),
        ablated.cluster_center_projector(ablated.cluster_centers),
    )
    for route, _ in full.stages():
        assignment = route.choose(patches, anchors, slides)
        anchors = route.move(anchors, assignment, patches, slides)
        patches = route(patches, assignment, anchors, slides)
        assert anchors.shape[-2:] == (N_ANCHORS, EMBED_DIM)  # not halved
    logits, attention = pooled_by(full, patches, anchors, batch)
    out = ablated(*batch)
    torch.testing.assert_close(out.logits, logits, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(out.attention, attention, rtol=1e-12, atol=1e-12)
    # The 8 anchors of each slide have the rest of the attention, where the full model has one per slide.
    assert attention.sum() < full(*batch).attention.sum()


@both_forms
def test_without_anchor_initialisation_only_the_start_of_the_anchors_differs(formulation: str):
    full, ablated = small_model(formulation), small_model(formulation, ablate=["anchors"])
    centroids = torch.randn(N_ANCHORS, DIM_IN, dtype=torch.float64)
    batch = batch_of([draw_slides([9])])
    torch.testing.assert_close(ablated(*batch).logits, full(*batch).logits, rtol=0, atol=0)  # same draw, same model
    full.initialise_anchors(centroids)
    differing = [k for k, v in full.state_dict().items() if not torch.equal(v, ablated.state_dict()[k])]
    assert differing == ["cluster_centers"]
    with pytest.raises(ValueError, match="without anchor initialisation"):
        ablated.initialise_anchors(centroids)
    with pytest.raises(ValueError, match="without anchor initialisation"):
        ablated(*batch, anchors=centroids.unsqueeze(0))


def test_random_anchors_are_standard_normal():
    torch.manual_seed(0)
    model = build_model("mico", dim_in=1024, n_outputs=2, embed_dim=8, ablate=["anchors"])
    assert model.cluster_centers.mean().abs() < 0.01
    assert abs(model.cluster_centers.std().item() - 1) < 0.01
    assert model.cluster_centers.requires_grad


def test_ablations_combine():
    model = small_model(ablate=["route", "reducer"])
    out = model(*batch_of([draw_slides([4])]))
    assert out.assignment is None
    assert not any(name.startswith("cluster_reducers.") for name in model.state_dict())


def test_an_unknown_ablation_is_named():
    with pytest.raises(ValueError, match="got ablate 'pooling', expected one of: anchors, route, reducer"):
        small_model(ablate=["pooling"])
