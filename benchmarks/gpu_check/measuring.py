"""Seconds and peak memory of calls on a device, and torch's switches for TF32."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

# A first call that takes longer is not repeated; one that takes longer than the second number is timed once after it.
SLOW_SECONDS, ONCE_SECONDS = 4.0, 1.0


@dataclass(frozen=True)
class Timing:
    """Seconds of a call, and the memory it needed.

    Attributes:
        median, fastest, slowest: seconds of the timed calls.
        repeats: how many were timed.
        peak: bytes that tensors had on the GPU at most, with all that was there before; None on a CPU.
        reserved: bytes that torch had taken from the GPU at most; None on a CPU.
    """

    median: float
    fastest: float
    slowest: float
    repeats: int
    peak: int | None
    reserved: int | None

    @property
    def peak_gb(self) -> float | None:
        """The peak in GB."""
        return None if self.peak is None else self.peak / 1e9

    @property
    def reserved_gb(self) -> float | None:
        """The reserved memory in GB."""
        return None if self.reserved is None else self.reserved / 1e9

    def milliseconds(self) -> tuple[float, float, float]:
        """Median, fastest and slowest in milliseconds."""
        return 1e3 * self.median, 1e3 * self.fastest, 1e3 * self.slowest


def timed(call: Callable[[], object], device: torch.device, *, seconds: float, repeats: int) -> Timing:
    """Time a call: two untimed calls, then as many as `seconds` allow, at least 2 and at most `repeats`.

    The device is waited for before and after each call. A call that takes seconds is timed once.
    """
    is_cuda = device.type == "cuda"
    if is_cuda:
        torch.cuda.reset_peak_memory_stats(device)
    values = [seconds_of(call, device)]
    if values[0] < SLOW_SECONDS:
        values = [seconds_of(call, device)]
    if values[0] < ONCE_SECONDS:
        number = max(2, min(repeats, int(seconds / values[0])))
        values = [seconds_of(call, device) for _ in range(number)]
    peak = torch.cuda.max_memory_allocated(device) if is_cuda else None
    reserved = torch.cuda.max_memory_reserved(device) if is_cuda else None
    return Timing(statistics.median(values), min(values), max(values), len(values), peak, reserved)


def seconds_of(call: Callable[[], object], device: torch.device) -> float:
    """Seconds of one call, until the device has done all of it."""
    synchronize(device)
    started = time.perf_counter()
    call()
    synchronize(device)
    return time.perf_counter() - started


def synchronize(device: torch.device) -> None:
    """Wait until a GPU has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def leave_alone_what_is_there() -> None:
    """Have no later `free` look through the objects that exist now: with all modules of torch, that takes 0.1 s."""
    gc.collect()
    gc.freeze()


def free(device: torch.device) -> None:
    """Give back all memory of the device that nothing refers to."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.empty_cache()


@contextmanager
def tf32(products: bool, convolutions: bool | None = None) -> Iterator[None]:
    """TF32 for matrix products, and for convolutions where they are to have another setting than torch's own."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = products
    if convolutions is not None:
        torch.backends.cudnn.allow_tf32 = convolutions
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before
