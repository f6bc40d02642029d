"""The mixing of anchors against Jacobians by autograd, feature by feature."""

from __future__ import annotations

import pytest
import torch
from torch.autograd.functional import jacobian

from models import build_model
from models.inspection.reducer_mixing import ReducerMixing, observe_mixing
from tests.models.bags import DIM_IN, N_ANCHORS, batch_of, draw_slides, small_model

both_forms = pytest.mark.parametrize("formulation", ["released", "paper"])


def inputs_of_reducers(model: torch.nn.Module, batch: tuple, **options: object) -> list[torch.Tensor]:
    """What each reducer is given in a forward pass, as (n, K_l, d); shared anchors are one slide."""
    seen: list[torch.Tensor] = []
    handles = [r.register_forward_hook(lambda _, args, __: seen.append(args[0])) for r in model.cluster_reducers]
    model(*batch, **options)
    for handle in handles:
        handle.remove()
    return [anchors if anchors.dim() == 3 else anchors.unsqueeze(0) for anchors in seen]


def jacobians(model: torch.nn.Module, inputs: list[torch.Tensor]) -> list[list[torch.Tensor]]:
    """For each slide and feature the Jacobian (K_l / 2, K_l) of each stage, by autograd."""
    n_slides, _, width = inputs[0].shape
    found = []
    for slide in range(n_slides):
        for feature in range(width):
            of_stages = []
            for reducer, anchors in zip(model.cluster_reducers, inputs, strict=True):
                column = anchors[slide, :, feature]
                of_stages.append(jacobian(lambda s, r=reducer: r(s.unsqueeze(1)).squeeze(1), column))
            found.append(of_stages)
    return found


def expected_of(model: torch.nn.Module, *passes: list[torch.Tensor]) -> tuple[list[torch.Tensor], torch.Tensor]:
    each = [of_stages for inputs in passes for of_stages in jacobians(model, inputs)]
    stages = [torch.stack([j[stage] for j in each]).mean(dim=0) for stage in range(model.n_stages)]
    overall = torch.stack([torch.linalg.multi_dot(j[::-1]) for j in each]).mean(dim=0)
    return stages, overall


def assert_equal(mixing: ReducerMixing, expected: tuple[list[torch.Tensor], torch.Tensor]) -> None:
    torch.testing.assert_close(mixing.stages, expected[0], rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(mixing.overall, expected[1], rtol=1e-12, atol=1e-14)


@both_forms
@pytest.mark.parametrize("own_anchors", [False, True], ids=["data-set anchors", "slide anchors"])
def test_the_mixing_is_the_mean_jacobian_over_features_slides_and_passes(formulation: str, own_anchors: bool):
    model = small_model(formulation)
    batches = [batch_of([draw_slides([9, 4]), draw_slides([30], seed=2)]), batch_of([draw_slides([7], seed=3)])]
    anchors = [torch.randn(3, N_ANCHORS, DIM_IN, dtype=torch.float64) if own_anchors else None, None]
    if own_anchors:
        anchors[1] = torch.randn(1, N_ANCHORS, DIM_IN, dtype=torch.float64)
    passes = [inputs_of_reducers(model, b, anchors=a) for b, a in zip(batches, anchors, strict=True)]
    with torch.no_grad(), observe_mixing(model) as mixing:
        for batch, own in zip(batches, anchors, strict=True):
            model(*batch, anchors=own)
    assert [tuple(stage.shape) for stage in mixing.stages] == [(4, 8), (2, 4), (1, 2)]
    assert mixing.overall.shape == (1, 8)
    assert len(passes[0][0]) == (1 if formulation == "released" and not own_anchors else 3)
    assert_equal(mixing, expected_of(model, *passes))


def test_with_shared_anchors_the_composed_reducers_have_this_jacobian():
    """One function of all anchors (K, d), differentiated as a whole; other slides change nothing."""
    model = small_model()
    anchors = model.cluster_center_projector(model.cluster_centers).detach()

    def composed(s: torch.Tensor) -> torch.Tensor:
        for reducer in model.cluster_reducers:
            s = reducer(s)
        return s

    whole = jacobian(composed, anchors)  # (R, d, K, d)
    apart = torch.einsum("rikj->ijrk", whole)
    assert (apart[~torch.eye(len(apart), dtype=torch.bool)] == 0).all()  # features never mix
    with torch.no_grad(), observe_mixing(model) as mixing:
        for size in (5, 11):
            model(*batch_of([draw_slides([size])]))
    expected = torch.einsum("iirk->rk", apart) / anchors.size(1)
    torch.testing.assert_close(mixing.overall, expected, rtol=1e-12, atol=1e-14)


@both_forms
def test_rows_and_features_in_blocks_count_once(formulation: str, monkeypatch: pytest.MonkeyPatch):
    model, batch = small_model(formulation), batch_of([draw_slides([9, 4]), draw_slides([30], seed=2)])
    with torch.no_grad(), observe_mixing(model) as at_once:
        model(*batch)
    model.block_rows, model.recompute_above = 7, 0  # embeddings are replayed, reducers are not
    monkeypatch.setattr("models.inspection.reducer_mixing._ROWS_AT_ONCE", 5)
    with torch.no_grad(), observe_mixing(model) as in_blocks:
        model(*batch)
    assert_equal(in_blocks, (at_once.stages, at_once.overall))


def test_the_model_is_as_it_was_afterwards_even_after_an_error():
    model, batch = small_model(), batch_of([draw_slides([9])])
    before = model(*batch)
    with torch.no_grad(), observe_mixing(model) as mixing:
        during = model(*batch)
    torch.testing.assert_close(during.logits, before.logits, rtol=1e-12, atol=1e-12)
    kept = mixing.overall
    model(*batch)
    model(*batch_of([draw_slides([5])]))
    assert torch.equal(mixing.overall, kept)
    with pytest.raises(RuntimeError, match="stop"), observe_mixing(model):
        raise RuntimeError("stop")
    assert not any(module._forward_hooks for module in model.modules())


def test_a_forward_pass_that_breaks_off_is_not_counted():
    model, batch = small_model("paper"), batch_of([draw_slides([9])])
    expected = expected_of(model, inputs_of_reducers(model, batch))

    def fail(*_: object) -> None:
        raise RuntimeError("no memory")

    with torch.no_grad(), observe_mixing(model) as mixing:
        handle = model.cluster_reducers[1].register_forward_hook(fail)
        with pytest.raises(RuntimeError, match="no memory"):
            model(*batch_of([draw_slides([6], seed=5)]))
        handle.remove()
        model(*batch)
    assert_equal(mixing, expected)


def test_sixteen_bits_leave_the_sums_in_float64():
    model = build_model("mico", dim_in=DIM_IN, n_outputs=2, n_anchors=N_ANCHORS, embed_dim=16).eval()
    features, slide_index, case_index = batch_of([draw_slides([9])])
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16), observe_mixing(model) as mixing:
        model(features.float(), slide_index, case_index)
    assert {stage.dtype for stage in [*mixing.stages, mixing.overall]} == {torch.float64}
    record = mixing.record()
    assert record["overall"] == mixing.overall.tolist()
    assert record["stages"] == [stage.tolist() for stage in mixing.stages]


def test_without_reducers_nothing_is_mixed():
    model = small_model(ablate=["reducer"])
    with torch.no_grad(), observe_mixing(model) as mixing:
        model(*batch_of([draw_slides([9])]))
    assert mixing.stages == []
    assert mixing.overall is None
    assert mixing.record() is None


def test_without_a_forward_pass_there_is_no_mixing():
    with observe_mixing(small_model()) as mixing:
        pass
    for ask in (lambda: mixing.stages, lambda: mixing.overall, mixing.record):
        with pytest.raises(ValueError, match="got no forward pass"):
            ask()


def test_stages_out_of_order_are_refused():
    with observe_mixing(small_model()) as mixing:
        mixing.see(0, torch.zeros(8, 8))
        with pytest.raises(ValueError, match="got stage 2 after 1 stages"):
            mixing.see(2, torch.zeros(8, 2))
        with pytest.raises(ValueError, match="got 6 features in stage 1, expected 8"):
            mixing.see(1, torch.zeros(6, 4))


def test_reducers_in_some_stages_only_are_refused():
    model = small_model()
    model.cluster_reducers[1] = torch.nn.Identity()
    with pytest.raises(ValueError, match="got 2 reducers in 3 stages"), observe_mixing(model):
        pass
