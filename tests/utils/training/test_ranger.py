"""Ranger against its rules, written out a second time."""

from __future__ import annotations

import pytest
import torch

from utils.training.radam import RAdam
from utils.training.ranger import Ranger


def set_gradients(params: list[torch.nn.Parameter], step: int) -> None:
    generator = torch.Generator().manual_seed(step)
    for p in params:
        p.grad = torch.randn(p.shape, generator=generator)


def parameters() -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(*shape, generator=generator)) for shape in ((5, 7), (3,))]


def test_is_radam_with_a_pull_at_every_sixth_step_from_the_twelfth_on():
    got, expected = parameters(), parameters()
    ranger, radam = Ranger(got, lr=0.05, weight_decay=0.1), RAdam(expected, lr=0.05, weight_decay=0.1)
    slow: list[torch.Tensor] = []
    for count in range(1, 26):
        for params, optimizer in ((got, ranger), (expected, radam)):
            set_gradients(params, count)
            optimizer.step()
        if count == 6:
            slow = [p.detach().clone() for p in expected]
        elif count % 6 == 0:
            for kept, fast in zip(slow, expected, strict=True):
                kept += 0.5 * (fast.detach() - kept)
                fast.data = kept.clone()
        for a, b in zip(got, expected, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)


def test_a_parameter_without_a_gradient_is_left_alone_until_it_has_one():
    first, second = parameters()
    ranger = Ranger([first, second], lr=0.05)
    before = second.detach().clone()
    for count in range(1, 8):
        set_gradients([first], count)
        ranger.step()
    assert torch.equal(second, before)
    assert "slow" in ranger.state[first]
    assert not ranger.state.get(second)
    for count in range(8, 13):
        set_gradients([first, second], count)
        ranger.step()
    assert torch.equal(ranger.state[second]["slow"], second)  # its own first synchronisation, step 12


def test_steps_that_the_scaler_of_fp16_leaves_out_do_not_count():
    (weight,) = [torch.nn.Parameter(torch.ones(2, 2))]
    ranger = Ranger([weight], lr=0.05)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    for gradient in [1.0] * 5 + [float("inf")] + [1.0]:
        weight.grad = torch.full((2, 2), gradient) * scaler.get_scale()
        scaler.scale(torch.ones(1))  # makes the scale
        scaler.step(ranger)
        scaler.update()
        assert ("slow" in ranger.state[weight]) == (ranger.param_groups[0]["updates"] == 6)
    assert ranger.param_groups[0]["updates"] == 6


def test_a_closure_is_refused():
    with pytest.raises(ValueError, match="got a closure"):
        Ranger(parameters(), lr=0.1).step(lambda: 0.0)
