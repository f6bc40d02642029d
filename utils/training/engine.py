"""One epoch of training and one pass of prediction, for every model and both tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from datasets.bags import Batch
from utils.errors import UserError
from utils.machine.device import AUTOCAST_DTYPES
from utils.machine.memory import memory_for
from utils.machine.stopwatch import Stopwatch
from utils.training.finite import Window, named

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


@dataclass
class Position:
    """Where an epoch stands between two optimizer steps.

    Attributes:
        batches: how many it has been trained on.
        loss_sum: of their cases.
    """

    batches: int = 0
    loss_sum: float = 0.0


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
    start: Position | None = None,
    after_step: Callable[[Position], None] | None = None,
) -> float:
    """Train on every batch once.

    The gradient of a step is that of `sum_i loss_i / grad_accum` over its window of `grad_accum` batches, loss_i the
    mean over the cases of batch i. The last window of an epoch may be shorter: it is stepped, and its losses are
    divided by `grad_accum` all the same, as in the released code.

    Args:
        runner: holds the model that is trained.
        batches: ragged batches, in order, from `start` on.
        batch_sizes: cases of each batch of the epoch.
        objective: maps the model's output and a batch's target to the mean loss of its cases.
        optimizer: of the model's parameters.
        scaler: scales gradients in fp16 and does nothing otherwise.
        grad_accum: batches of a window.
        epoch: for messages.
        label: of the progress bar.
        start: where the epoch was left; None for its beginning.
        after_step: called after each optimizer step with where the epoch stands; it may raise to end it there.

    Returns:
        The mean loss over the cases of the epoch.

    Raises:
        UserError: if a loss or the gradient of a window is not finite, with epoch, batches and slides; the step that
            would follow is not made.
    """
    runner.model.train()
    optimizer.zero_grad()
    position, n_batches = start or Position(), len(batch_sizes)
    window = Window(epoch, position.batches, n_batches)
    options = {"total": n_batches, "initial": position.batches, "leave": False, "disable": None, "unit": "batch"}
    progress = tqdm(batches, desc=label, **options)
    for number, batch in enumerate(runner.read(progress), start=position.batches + 1):
        with memory_for(f"{label}: slides {named(batch.slide_ids)}"):
            with runner.stopwatch.time("forward"):
                loss = objective(runner(batch), batch.target)
            with runner.stopwatch.time("backward"):
                scaler.scale(loss / grad_accum).backward()
        window.losses.append(loss.detach())
        window.slide_ids.append(batch.slide_ids)
        if number % grad_accum == 0 or number == n_batches:
            with runner.stopwatch.time("optimizer"):
                losses = window.checked_losses(runner.model, scaler)
                scaler.step(optimizer)
                scaler.update()
                optimizer.zero_grad()
            for value, size in zip(losses, batch_sizes[window.first : number], strict=True):
                position.loss_sum += value * size
            position.batches = number
            window = Window(epoch, number, n_batches)
            if after_step is not None:
                after_step(position)
    return position.loss_sum / sum(batch_sizes)


@torch.no_grad()
def evaluate(runner: Runner, batches: Iterable[Batch], *, n_batches: int, label: str) -> Iterator[tuple[Any, Any]]:
    """Each batch, on the device, with the model's output for it, in order.

    Raises:
        UserError: for logits or attention that are not finite, with the slides.
    """
    for batch, out, finite in _outputs(runner, batches, n_batches=n_batches, label=label):
        _check_finite(bool(finite), batch.slide_ids, label)
        yield batch, out


@torch.no_grad()
def predict(runner: Runner, batches: Iterable[Batch], *, n_batches: int, label: str) -> Tensor:
    """Logits (n_cases, C) of all batches in order, float32, on the CPU; a GPU is waited for once, at the end.

    Raises:
        UserError: as `evaluate` does.
    """
    logits, slides_of, finite_of = [], [], []
    for batch, out, finite in _outputs(runner, batches, n_batches=n_batches, label=label):
        logits.append(_predicted(out)[0].float())
        slides_of.append(batch.slide_ids)
        finite_of.append(finite)
    for finite, slide_ids in zip(torch.stack(finite_of).tolist(), slides_of, strict=True):
        _check_finite(finite, slide_ids, label)
    return torch.cat(logits).cpu()


def _outputs(
    runner: Runner, batches: Iterable[Batch], *, n_batches: int, label: str
) -> Iterator[tuple[Batch, Any, Tensor]]:
    """Each batch with the model's output, and whether that is finite, on the device; the one place that evaluates."""
    runner.model.eval()
    progress = tqdm(batches, desc=label, total=n_batches, leave=False, disable=None, unit="batch")
    for batch in runner.read(progress):
        with memory_for(f"{label}: slides {named(batch.slide_ids)}"), runner.stopwatch.time("forward"):
            out = runner(batch)
            finite = torch.stack([values.isfinite().all() for values in _predicted(out)]).all()
        yield batch, out, finite


def _check_finite(finite: bool, slide_ids: Sequence[str], label: str) -> None:
    if not finite:
        raise UserError(
            f"{label}: the model gives no finite prediction for slides {named(slide_ids)}: look at their features, or "
            "train with a lower --lr"
        )


def _predicted(out: Any) -> tuple[Tensor, ...]:
    """What is written or shown of a model's output: `models.output.BagOutput`, or logits alone."""
    return (out,) if isinstance(out, Tensor) else (out.logits, out.attention)
