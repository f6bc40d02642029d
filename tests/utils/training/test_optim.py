"""The optimizers against their update rules."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from utils.training.optim import build_optimizer


def small_network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 1))


def step(network: nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor) -> None:
    optimizer.zero_grad()
    network(x).square().mean().backward()
    optimizer.step()


@pytest.mark.parametrize("name", ["ranger", "radam", "adamw"])
def test_weight_decay_is_decoupled_and_on_matrices_only(name: str):
    """With a gradient of zero a decoupled decay shrinks matrices by lr * decay, and leaves 1-d parameters alone."""
    network = small_network()
    before = {key: p.detach().clone() for key, p in network.named_parameters()}
    optimizer = build_optimizer(name, network, lr=0.1, weight_decay=0.5)
    for p in network.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    for key, p in network.named_parameters():
        factor = 1 - 0.1 * 0.5 if p.dim() > 1 else 1.0
        torch.testing.assert_close(p.detach(), before[key] * factor, msg=key)


@pytest.mark.parametrize("name", ["ranger", "radam", "adamw"])
@pytest.mark.parametrize("n_steps", [4, 9])
def test_state_goes_through_a_file_of_tensors_and_plain_values(name: str, n_steps: int, tmp_path):
    """Saved before and after Lookahead's first synchronisation, and continued: the same as never interrupted."""
    x = torch.randn(16, 3, generator=torch.Generator().manual_seed(1))
    network = small_network()
    optimizer = build_optimizer(name, network, lr=0.05, weight_decay=0.1)
    for _ in range(n_steps):
        step(network, optimizer, x)
    torch.save({"network": network.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "state.pt")

    state = torch.load(tmp_path / "state.pt", weights_only=True)
    other = copy.deepcopy(small_network())
    other.load_state_dict(state["network"])
    continued = build_optimizer(name, other, lr=0.05, weight_decay=0.1)
    continued.load_state_dict(state["optimizer"])
    for _ in range(5):
        step(network, optimizer, x)
        step(other, continued, x)
    for a, b in zip(network.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


def test_unknown_optimizer_is_refused():
    with pytest.raises(ValueError, match="got optimizer 'sgd', expected one of: ranger, radam, adamw"):
        build_optimizer("sgd", small_network(), lr=0.1, weight_decay=0.0)
