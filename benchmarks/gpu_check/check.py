"""What every part of the check is given, and the seconds that all of them have."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import torch

from benchmarks.gpu_check.sizes import Sizes


@dataclass(frozen=True)
class Check:
    """Where and how much is measured, and until when.

    Attributes:
        device: that is checked.
        sizes: of the measurements.
        deadline: the time (`time.monotonic`) after which no measurement begins.
        small: whether it is the small run.
        known: seconds of calls that were measured before, by what they are and their number of patches.
    """

    device: torch.device
    sizes: Sizes
    deadline: float
    small: bool = False
    known: dict[tuple[str, ...], dict[int, float]] = field(default_factory=dict)

    def expected(self, what: tuple[str, ...], n_patches: int) -> float:
        """Seconds of a call, from the next smaller slide that was measured, in proportion; 0 where none was."""
        smaller = {n: seconds for n, seconds in self.known.get(what, {}).items() if n < n_patches}
        return smaller[max(smaller)] * n_patches / max(smaller) if smaller else 0.0

    def remember(self, what: tuple[str, ...], n_patches: int, seconds: float) -> None:
        """Keep the seconds of a call."""
        self.known.setdefault(what, {})[n_patches] = seconds

    @property
    def is_cuda(self) -> bool:
        """Whether the device is a GPU."""
        return self.device.type == "cuda"


def deadline_after(seconds: float) -> float:
    """The time so many seconds from now."""
    return time.monotonic() + seconds
