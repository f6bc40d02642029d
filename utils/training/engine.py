"""One epoch of training and one pass of prediction, for every model and both tasks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from datasets.bags import Batch
from utils.errors import UserError
from utils.machine.device import AUTOCAST_DTYPES
from utils.machine.stopwatch import Stopwatch

Objective = Callable[[Any, dict[str, Tensor]], Tensor]


@dataclass(frozen=True)
class Runner:
    """A model with all that stands between it and a batch.

    Attributes:
        model: called as `models.bag_model` describes; it scales the features itself.
        device: where it computes.
        precision: `fp32`, `bf16` or `fp16`.
        stopwatch: adds up the seconds of reading, forward and backward passes and optimizer steps.
    """

    model: nn.Module
    device: torch.device
    precision: str
    stopwatch: Stopwatch = field(default_factory=Stopwatch)

    def __call__(self, batch: Batch) -> Any:
        """The model's output for a batch that is on the device."""
        with torch.autocast(self.device.type, AUTOCAST_DTYPES[self.precision], enabled=self.precision != "fp32"):
            return self.model(batch.features, batch.slide_index, batch.case_index, batch.anchors, batch.coords)

    def read(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The batches, on the device."""
        return self.stopwatch.waiting((batch.to(self.device) for batch in batches), "reading")


def train_epoch(
    runner: Runner,
    batches: Iterable[Batch],
    batch_sizes: Sequence[int],
    objective: Objective,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    *,
    grad_accum: int,
    epoch: int,
    label: str,
) -> float:
    """Train on every batch once.

    The gradient of a step is that of `sum_i loss_i / grad_accum` over its window of `grad_accum` batches, loss_i the
    mean over the cases of batch i. The last window of an epoch may be shorter: it is stepped, and its losses are
    divided by `grad_accum` all the same, as in the released code.

    Args:
        runner: holds the model that is trained.
        batches: ragged batches, in order.
        batch_sizes: cases of each of these batches.
        objective: maps the model's output and a batch's target to the mean loss of its cases.
        optimizer: of the model's parameters.
        scaler: scales gradients in fp16 and does nothing otherwise.
        grad_accum: batches of a window.
        epoch: for messages.
        label: of the progress bar.

    Returns:
        The mean loss over the cases of the epoch.

    Raises:
        UserError: if a loss is not finite, with epoch, step and slides.
    """
    runner.model.train()
    optimizer.zero_grad()
    total, n_batches = 0.0, len(batch_sizes)
    progress = tqdm(batches, desc=label, total=n_batches, leave=False, disable=None, unit="batch")
    for number, batch in enumerate(runner.read(progress)):
        with runner.stopwatch.time("forward"):
            batch_loss = objective(runner(batch), batch.target)
            value = batch_loss.item()
        if not math.isfinite(value):
            raise UserError(
                f"the loss is {value} in epoch {epoch}, batch {number + 1} of {n_batches}, on slides "
                f"{', '.join(batch.slide_ids)}: look at their features, or lower --lr"
            )
        with runner.stopwatch.time("backward"):
            scaler.scale(batch_loss / grad_accum).backward()
        total += value * batch_sizes[number]
        if (number + 1) % grad_accum == 0 or number + 1 == n_batches:
            with runner.stopwatch.time("optimizer"):
                scaler.step(optimizer)
                scaler.update()
                optimizer.zero_grad()
    return total / sum(batch_sizes)


@torch.no_grad()
def evaluate(runner: Runner, batches: Iterable[Batch], *, n_batches: int, label: str) -> Iterator[tuple[Any, Any]]:
    """Each batch, on the device, with the model's output for it, in order; the one place that evaluates a model."""
    runner.model.eval()
    progress = tqdm(batches, desc=label, total=n_batches, leave=False, disable=None, unit="batch")
    for batch in runner.read(progress):
        with runner.stopwatch.time("forward"):
            out = runner(batch)
        yield batch, out


def predict(runner: Runner, batches: Iterable[Batch], *, n_batches: int, label: str) -> Tensor:
    """Logits (n_cases, C) of all batches in order, float32, on the CPU."""
    outputs = evaluate(runner, batches, n_batches=n_batches, label=label)
    return torch.cat([out.logits.float().cpu() for _, out in outputs])
