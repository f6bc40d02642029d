"""DeepGraphConv against a loop over patches and neighbours, and against itself."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from models.baselines.deepgraphconv import DeepGraphConv
from tests.models.bags import DIM_IN, batch_of, draw_slides
from tests.reference.graph_loop import deepgraphconv_case
from tests.reference.tolerance import relative_error

every_graph = pytest.mark.parametrize("graph", ["coords", "features"])


def small_deepgraphconv(graph: str = "coords", *, dropout: float = 0.05) -> DeepGraphConv:
    """In float64 and evaluation mode."""
    torch.manual_seed(0)
    return DeepGraphConv(dim_in=DIM_IN, n_outputs=3, embed_dim=16, dropout=dropout, graph=graph).double().eval()


def draw_coords(sizes: list[int], *, seed: int = 7) -> list[Tensor]:
    """Distinct places of a grid with a step of 512 pixels."""
    generator = torch.Generator().manual_seed(seed)
    cells = [torch.randperm(100, generator=generator)[:size] for size in sizes]
    return [512 * torch.stack([cell % 10, cell // 10], dim=1) for cell in cells]


@every_graph
@pytest.mark.parametrize("sizes", [[14, 5], [1], [11, 1, 3]], ids=str)
def test_equals_the_loop_from_the_equations(graph: str, sizes: list[int]):
    """Outputs and gradients; slides of one patch, of fewer than nine, and of more."""
    model, slides, coords = small_deepgraphconv(graph), draw_slides(sizes), draw_coords(sizes)
    weights = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    out = model(*batch_of([slides]), coords=torch.cat(coords))
    (out.logits[0] @ weights).backward()

    parameters = {name: value.detach().clone().requires_grad_() for name, value in model.named_parameters()}
    logits, attention = deepgraphconv_case(parameters, slides, coords if graph == "coords" else slides)
    (logits @ weights).backward()

    assert relative_error(out.logits[0], logits) < 1e-10
    assert relative_error(out.attention, attention) < 1e-10
    for name, parameter in model.named_parameters():
        expected = parameters[name].grad
        if name == "attention_pool.attention_scorer.bias" or (sizes == [1] and name.startswith("attention_pool")):
            assert parameter.grad.abs().max() < 1e-12  # a softmax ignores what all scores share, and a lone score
        else:
            assert relative_error(parameter.grad, expected) < 1e-9, name


@every_graph
def test_a_batch_is_its_cases_one_by_one(graph: str):
    model, sizes = small_deepgraphconv(graph), [12, 20, 1, 5, 9, 30]
    slides, coords = draw_slides(sizes), draw_coords(sizes)
    by_case = [slice(0, 2), slice(2, 3), slice(3, 6)]
    together = model(*batch_of([slides[case] for case in by_case]), coords=torch.cat(coords))
    alone = [model(*batch_of([slides[case]]), coords=torch.cat(coords[case])) for case in by_case]
    assert together.logits.shape == (3, 3)
    assert relative_error(together.logits, torch.cat([out.logits for out in alone])) < 1e-10
    assert relative_error(together.attention, torch.cat([out.attention for out in alone])) < 1e-10


def test_slides_are_not_connected():
    """The same two slides of a case, near each other or far apart, and at the same places."""
    model, slides = small_deepgraphconv(), draw_slides([15, 12])
    coords = draw_coords([15, 12])
    logits = [
        model(*batch_of([slides]), coords=torch.cat([coords[0], coords[1] + shift])).logits for shift in (0, 90_000)
    ]
    assert relative_error(logits[1], logits[0]) < 1e-12


def test_only_relative_positions_count():
    model, slides, coords = small_deepgraphconv(), draw_slides([40]), draw_coords([40])[0]
    batch = batch_of([slides])
    before = model(*batch, coords=coords).logits
    assert torch.equal(model(*batch, coords=coords + torch.tensor([3072, -700])).logits, before)


def test_the_order_of_the_patches_does_not_count():
    """On a grid, where patches tie."""
    model, slide, coords = small_deepgraphconv(), draw_slides([40])[0], draw_coords([40])[0]
    order = torch.randperm(40, generator=torch.Generator().manual_seed(2))
    before, after = (model(*batch_of([[slide[o]]]), coords=coords[o]) for o in (torch.arange(40), order))
    assert relative_error(after.logits, before.logits) < 1e-10
    assert relative_error(after.attention, before.attention[order]) < 1e-10


def test_two_patches_that_change_places_change_the_output():
    """One patch of each of two blocks far apart; with the graph of features nothing changes."""
    slide = draw_slides([32])[0]
    block = 256 * torch.stack([torch.arange(16) % 4, torch.arange(16) // 4], dim=1)
    coords = torch.cat([block, block + 100_000])
    swapped = coords.clone()
    swapped[[5, 21]] = coords[[21, 5]]
    for graph, changes in (("coords", True), ("features", False)):
        model = small_deepgraphconv(graph)
        before, after = (model(*batch_of([[slide]]), coords=where).logits for where in (coords, swapped))
        assert (relative_error(after, before) > 1e-4) is changes


def test_every_parameter_gets_a_gradient():
    model, sizes = small_deepgraphconv(dropout=0.1).train(), [25, 3, 18]
    slides = draw_slides(sizes)
    out = model(*batch_of([slides[:2], slides[2:]]), coords=torch.cat(draw_coords(sizes)))
    out.logits.square().sum().backward()
    for name, parameter in model.named_parameters():
        if name != "attention_pool.attention_scorer.bias":  # a softmax ignores it
            assert parameter.grad.abs().max() > 1e-9, name


def test_dropout_is_used_in_training_only():
    model, batch, coords = small_deepgraphconv(dropout=0.5), batch_of([draw_slides([20])]), draw_coords([20])[0]
    evaluated = [model(*batch, coords=coords).logits for _ in range(2)]
    model.train()
    trained = [model(*batch, coords=coords).logits for _ in range(2)]
    assert torch.equal(*evaluated)
    assert not torch.equal(*trained)
    assert [module.p for module in model.modules() if isinstance(module, nn.Dropout)] == [0.5]
    assert model.attention_pool.dropout.rate == 0.75  # of the product of both branches


@every_graph
def test_16_bits_stay_near_and_sum_in_float32(graph: str):
    model, batch, coords = small_deepgraphconv(graph).float(), batch_of([draw_slides([40])]), draw_coords([40])[0]
    features = batch[0].float()
    exact = model(features, *batch[1:], coords=coords)
    seen: list[torch.dtype] = []
    for layer in model.layers:
        layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(features, *batch[1:], coords=coords)
    out.logits.float().square().sum().backward()
    assert seen == [torch.float32] * 3
    assert out.logits.dtype == torch.bfloat16
    assert relative_error(out.logits.float(), exact.logits) < 0.03
    assert relative_error(out.attention, exact.attention) < 0.03
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_parameter_count():
    """D = 1024, d = 512 (h = 256), C = 4, layer by layer."""
    square = 256 * 256 + 256
    expected = (
        (1024 * 256 + 256 + square)
        + 2 * 2 * square
        + (2 * square + 256 + 1)  # attention
        + square
        + (256 * 4 + 4)
    )
    assert expected == 790_021
    assert sum(p.numel() for p in DeepGraphConv(dim_in=1024, n_outputs=4).parameters()) == expected


def test_what_cannot_be_is_named():
    with pytest.raises(ValueError, match="got embed_dim 9, expected a multiple of 2"):
        DeepGraphConv(dim_in=4, n_outputs=2, embed_dim=9)
    with pytest.raises(ValueError, match="got graph 'latent', expected one of: coords, features"):
        DeepGraphConv(dim_in=4, n_outputs=2, graph="latent")
    with pytest.raises(ValueError, match="got no coords, expected"):
        small_deepgraphconv()(*batch_of([draw_slides([5])]))
    with pytest.raises(ValueError, match=r"got coords of shape \(4, 2\), expected \(5, 2\)"):
        small_deepgraphconv()(*batch_of([draw_slides([5])]), coords=torch.zeros(4, 2))


def test_the_graph_of_features_needs_no_coords():
    model, batch = small_deepgraphconv("features"), batch_of([draw_slides([12])])
    assert torch.equal(model(*batch).logits, model(*batch, coords=draw_coords([12])[0]).logits)
