"""The optimizers on the device against the CPU: the same gradients, the same parameters."""

from __future__ import annotations

import torch
from torch import nn

from benchmarks.gpu_check.check import Check
from benchmarks.gpu_check.report import PartReport
from utils.training.optim import build_optimizer

OPTIMIZERS = ("ranger", "radam", "adamw")
STEPS = 24
WIDTH = 64
LR = 1e-2  # with that of the training, rounding of the parameters is 0.1 % of their way
TOLERANCE = 1e-3


def run(check: Check, report: PartReport) -> None:
    """Compare every optimizer after some steps."""
    table = report.table(f"After {STEPS} steps with the same gradients", "optimizer", "difference to the CPU")
    for name in OPTIMIZERS:
        with report.attempt(name):
            start, on_cpu = after_steps(name, torch.device("cpu"))
            _, on_device = after_steps(name, check.device)
            difference = float((on_device - on_cpu).norm() / (on_cpu - start).norm())
            table.add(name, difference)
            if not difference < TOLERANCE:
                raise ValueError(f"got a relative difference of {difference}, expected less than {TOLERANCE}")
    report.note(f"The difference is relative to the way that the parameters moved, and passes below {TOLERANCE:g}.")


def after_steps(name: str, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """All parameters before and after the steps, on the CPU in float64."""
    generator = torch.Generator().manual_seed(0)
    model = nn.Linear(WIDTH, WIDTH)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=generator))
    model.to(device)
    optimizer = build_optimizer(name, model, lr=LR, weight_decay=1e-2)
    before = _flat(model)
    for _ in range(STEPS):
        for p in model.parameters():
            p.grad = torch.randn(p.shape, generator=generator).to(device)
        optimizer.step()
    return before, _flat(model)


def _flat(model: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().double().cpu().flatten() for p in model.parameters()])
