"""The drawn zeros are those of independent decisions: number, gaps, places and seeds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from models.kernels.dropout import Dropout, draw_zeros, set_zeros


@pytest.mark.parametrize("rate", [0.001, 0.05, 0.3, 0.9])
def test_the_number_of_zeros_is_binomial(rate: float):
    torch.manual_seed(0)
    n, draws = 2000, 500
    counts = [len(draw_zeros(torch.empty(n), rate)) for _ in range(draws)]
    spread = np.sqrt(n * rate * (1 - rate))
    assert abs(np.mean(counts) - n * rate) < 4 * spread / np.sqrt(draws)
    assert np.std(counts) == pytest.approx(spread, rel=0.15)


def test_every_place_has_the_same_rate_and_neighbours_are_independent():
    torch.manual_seed(1)
    n, draws, rate = 8, 20_000, 0.25
    masks = torch.ones(draws, n)
    for mask in masks:
        set_zeros(mask, draw_zeros(mask, rate))
    dropped = masks == 0
    assert (dropped.float().mean(dim=0) - rate).abs().max() < 4 * np.sqrt(rate * (1 - rate) / draws)
    both = (dropped[:, :-1] & dropped[:, 1:]).float().mean(dim=0)
    assert (both - rate**2).abs().max() < 4 * np.sqrt(rate**2 / draws)


def test_gaps_between_zeros_are_geometric():
    torch.manual_seed(2)
    rate = 0.05
    gaps = draw_zeros(torch.empty(4_000_000), rate).diff() - 1
    shares = np.bincount(gaps.clamp(max=100).numpy(), minlength=101)
    expected = rate * (1 - rate) ** np.arange(101)
    expected[100] = (1 - rate) ** 100
    assert stats.chisquare(shares, expected / expected.sum() * shares.sum()).pvalue > 1e-3


def test_positions_ascend_within_the_tensor_and_come_from_the_seed():
    x = torch.empty(37, 11)
    torch.manual_seed(3)
    first, second = draw_zeros(x, 0.5), draw_zeros(x, 0.5)
    assert not torch.equal(first, second)
    assert (first.diff() > 0).all()
    assert 0 <= first[0] <= first[-1] < x.numel()
    torch.manual_seed(3)
    assert torch.equal(draw_zeros(x, 0.5), first)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_small_tensors(n: int):
    torch.manual_seed(4)
    counts = torch.tensor([len(draw_zeros(torch.empty(n), 0.5)) for _ in range(400)]).float()
    assert counts.mean().item() == pytest.approx(n / 2, abs=0.15)


def test_zeros_are_set_in_place_by_position_and_by_mask():
    by_position, by_mask = torch.ones(2, 3), torch.ones(2, 3)
    assert set_zeros(by_position, torch.tensor([1, 5])) is by_position
    assert set_zeros(by_mask, torch.tensor([[False, True, False], [False, False, True]])) is by_mask
    assert by_position.tolist() == by_mask.tolist() == [[1, 0, 1], [1, 1, 0]]


@pytest.mark.parametrize("inplace", [False, True])
def test_the_layer_is_x_over_the_kept_rate_or_zero_and_so_is_its_gradient(inplace: bool):
    layer, x = Dropout(0.3, inplace=inplace), torch.rand(40, 50, dtype=torch.float64).add_(1).requires_grad_()
    torch.manual_seed(5)
    given = x.clone()
    out = layer(given)
    assert (out.data_ptr() == given.data_ptr()) is inplace
    torch.manual_seed(5)
    mask = set_zeros(torch.ones_like(x), draw_zeros(x, 0.3)) / 0.7
    torch.testing.assert_close(out, x * mask)
    weights = torch.randn_like(out)
    (gradient,) = torch.autograd.grad((out * weights).sum(), x)
    torch.testing.assert_close(gradient, weights * mask)


def test_the_layer_takes_views_and_leaves_its_input_alone():
    torch.manual_seed(6)
    x = torch.ones(30, 20).t()
    out = Dropout(0.5)(x)
    assert (x == 1).all()
    assert set(out.unique().tolist()) == {0.0, 2.0}


@pytest.mark.parametrize("layer", [Dropout(0.5).eval(), Dropout(0.0)])
def test_outside_of_training_and_at_rate_0_nothing_happens(layer: Dropout):
    x = torch.randn(4)
    assert layer(x) is x
