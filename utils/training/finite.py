"""Numbers of a training that must be finite: losses and gradients before each step, weights after each epoch.

A step is made of gradients that were checked, so that nothing which is not finite reaches weights or checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from utils.errors import UserError

# GradScaler halves its scale at every step whose gradients overflow. Gradients that do so at this scale are no matter
# of the scale: they are NaN, or a million times what float16 holds.
LOWEST_SCALE = 2.0**-20
LIMIT = 5  # slides named in a message
ADVICE = "look at the features of these slides, lower --lr, or fit anchors with --feature_norm l2 or zscore"
OTHER_PRECISION = ", or give --precision fp32"  # float16 ends at 65,504


@dataclass
class Window:
    """The batches of one optimizer step.

    Attributes:
        epoch: for messages.
        first: the number of its first batch in the epoch, from 0 on.
        n_batches: of the epoch.
        losses: of its batches, on the device.
        slide_ids: of its batches.
    """

    epoch: int
    first: int
    n_batches: int
    losses: list[Tensor] = field(default_factory=list)
    slide_ids: list[tuple[str, ...]] = field(default_factory=list)

    def checked_losses(self, model: nn.Module, scaler: torch.amp.GradScaler) -> list[float]:
        """The losses of the batches, checked together with the gradients of the window; a GPU is waited for once.

        In fp16, gradients that overflow are normal: the scaler leaves such a step out and halves its scale. Only where
        that does not end they are refused.

        Raises:
            UserError: for a loss, or a norm of the gradient, that is not finite, with epoch, batches and slides.
        """
        values = [loss.double() for loss in self.losses]
        if not scaler.is_enabled():
            values.append(gradient_norm(model).double())
        read: list[float] = torch.stack(values).tolist()
        losses = read[: len(self.losses)]
        for number, (loss, slide_ids) in enumerate(zip(losses, self.slide_ids, strict=True), start=self.first + 1):
            if not math.isfinite(loss):
                raise UserError(
                    f"the loss is {loss} in epoch {self.epoch}, batch {number} of {self.n_batches}, on slides "
                    f"{named(slide_ids)}: {ADVICE}{OTHER_PRECISION if scaler.is_enabled() else ''}"
                )
        if scaler.is_enabled() and scaler.get_scale() < LOWEST_SCALE:
            raise UserError(
                f"the gradient overflows in fp16, however small the loss is scaled, {self}: {ADVICE}{OTHER_PRECISION}"
            )
        if not scaler.is_enabled() and not math.isfinite(read[-1]):
            raise UserError(f"the norm of the gradient is {read[-1]} while the loss is finite, {self}: {ADVICE}")
        return losses

    def __str__(self) -> str:
        """Where it is: epoch, batches and slides."""
        last = self.first + len(self.losses)
        batches = f"batch {last}" if len(self.losses) == 1 else f"batches {self.first + 1} to {last}"
        slides = named([slide_id for ids in self.slide_ids for slide_id in ids])
        return f"in epoch {self.epoch}, {batches} of {self.n_batches}, on slides {slides}"


def gradient_norm(model: nn.Module) -> Tensor:
    """The norm of all gradients of a model; infinite, too, where they are too large to be squared, as Adam does."""
    return get_total_norm([p.grad for p in model.parameters() if p.grad is not None])


def check_weights(model: nn.Module, epoch: int) -> None:
    """Check that all weights are numbers that can be computed with, before they are validated and kept.

    Raises:
        UserError: with the first parameter that is not, and the epoch.
    """
    weights = {name: parameter.detach() for name, parameter in model.named_parameters()}
    if math.isfinite(get_total_norm(list(weights.values())).item()):
        return
    name = next((name for name, values in weights.items() if not math.isfinite(values.norm().item())), "of all layers")
    raise UserError(
        f"the weights {name} are not finite after epoch {epoch}: lower --lr; the checkpoint of the epochs before stays"
    )


def named(slide_ids: Sequence[str]) -> str:
    """Slides in a message: the first of them, and how many more there are.

    >>> named([str(number) for number in range(7)])
    '0, 1, 2, 3, 4 and 2 more'
    """
    more = len(slide_ids) - LIMIT
    return ", ".join(slide_ids[:LIMIT]) + (f" and {more} more" if more > 0 else "")
