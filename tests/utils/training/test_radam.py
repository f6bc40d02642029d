"""RAdam on the fused kernel against torch's own, through the steps without and with rectification."""

from __future__ import annotations

import copy

import pytest
import torch

from utils.training.radam import RAdam, rectified


def parameters(dtype: torch.dtype) -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(*shape, generator=generator).to(dtype)) for shape in ((5, 7), (3,), (1, 1))]


def set_gradients(params: list[torch.nn.Parameter], step: int, scale: float) -> None:
    generator = torch.Generator().manual_seed(step)
    for p in params:
        p.grad = scale * torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p.dtype)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-13)])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_equals_torch(dtype: torch.dtype, tolerance: float, scale: float, weight_decay: float):
    got, expected = parameters(dtype), parameters(dtype)
    own = RAdam(got, lr=0.01, weight_decay=weight_decay)
    torchs = torch.optim.RAdam(expected, lr=0.01, weight_decay=weight_decay, decoupled_weight_decay=True)
    for step in range(40):  # the first 5 steps are not rectified
        for params, optimizer in ((got, own), (expected, torchs)):
            set_gradients(params, step, scale)
            optimizer.step()
        for a, b in zip(got, expected, strict=True):
            torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance * max(1.0, scale))
    assert own.param_groups[0]["lr"] == 0.01  # what was asked for, not what the kernel got
    assert own.param_groups[0]["weight_decay"] == weight_decay


def test_the_first_steps_are_those_of_momentum():
    assert [rectified(t, 0.999, 1e-8)[0] == 2.0**80 for t in range(1, 8)] == [True] * 5 + [False] * 2
    factor, eps = rectified(100_000, 0.999, 1e-8)
    assert factor == pytest.approx(1)
    assert eps == pytest.approx(1e-8)


def test_continues_from_the_state_of_torch():
    got, expected = parameters(torch.float64), parameters(torch.float64)
    torchs = torch.optim.RAdam(expected, lr=0.01, decoupled_weight_decay=True)
    for step in range(10):
        set_gradients(expected, step, 1.0)
        torchs.step()
    with torch.no_grad():
        for a, b in zip(got, expected, strict=True):
            a.copy_(b)
    own = RAdam(got, lr=0.01)
    own.load_state_dict(copy.deepcopy(torchs.state_dict()))
    for step in range(10, 20):
        for params, optimizer in ((got, own), (expected, torchs)):
            set_gradients(params, step, 1.0)
            optimizer.step()
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_a_closure_is_refused():
    with pytest.raises(ValueError, match="got a closure"):
        RAdam(parameters(torch.float32), lr=0.1).step(lambda: 0.0)
