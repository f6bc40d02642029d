"""What the benchmarks share: the line about the machine, seconds of calls and their growth, and peak memory."""

from __future__ import annotations

import math
import os
import platform
import statistics
import threading
import time
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import torch

SAMPLING_SECONDS = 0.005

Name = TypeVar("Name")


def hardware(device: torch.device | None = None) -> str:
    """Date, processor, threads and versions, in a line to print above a table."""
    where = f"{_processor()}, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
    if device is not None and device.type == "cuda":
        where = f"{torch.cuda.get_device_name(device)}, TF32 {torch.backends.cuda.matmul.allow_tf32}; {where}"
    return f"{date.today()}, {where}, torch {torch.__version__}, Python {platform.python_version()}"


def alternate(
    calls: Mapping[Name, Callable[[], object]], *, repeats: int, device: torch.device | None = None
) -> dict[Name, list[float]]:
    """Seconds of each call, `repeats` times in turn after one untimed turn: a machine that drifts slows all alike."""
    seconds: dict[Name, list[float]] = {name: [] for name in calls}
    for turn in range(repeats + 1):
        for name, call in calls.items():
            _synchronize(device)
            started = time.perf_counter()
            call()
            _synchronize(device)
            if turn:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def ratio_of(slower: list[float], faster: list[float]) -> float:
    """How many times longer the first took: the median of the ratios turn by turn."""
    return statistics.median(a / b for a, b in zip(slower, faster, strict=True))


def growth(what: str, values: Mapping[int, float], *, unit: str = "s", digits: int = 2) -> str:
    """A line of values by size, with the exponent of the power of the size that they follow from end to end."""
    (small, first), *_, (large, last) = values.items()
    listed = ", ".join(f"{size}: {value:.{digits}f} {unit}" for size, value in values.items())
    return f"- {what}: {listed}; exponent {math.log(last / first) / math.log(large / small):.2f}"


class PeakMemory:
    """Peak of this process's anonymous memory in a `with` block, beyond what it had at its beginning.

    Pages of memory-mapped files are not in it. Sampled every 5 ms from the kernel's count (Linux only).

    Attributes:
        bytes: the peak, once the block has ended.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._stop = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._before = anonymous_bytes()
        self._sampler.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._sampler.join()

    def _sample(self) -> None:
        while not self._stop.is_set():
            self.bytes = max(self.bytes, anonymous_bytes() - self._before)
            self._stop.wait(SAMPLING_SECONDS)


class PeakDeviceMemory:
    """Peak of a GPU's memory that tensors have in a `with` block, beyond what they had at its beginning.

    Attributes:
        bytes: the peak, once the block has ended.
    """

    def __init__(self, device: torch.device) -> None:
        self.bytes = 0
        self._device = device

    def __enter__(self) -> PeakDeviceMemory:
        torch.cuda.reset_peak_memory_stats(self._device)
        self._before = torch.cuda.memory_allocated(self._device)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.bytes = torch.cuda.max_memory_allocated(self._device) - self._before


def peak_memory(device: torch.device) -> PeakMemory | PeakDeviceMemory:
    """The peak of what is scarce on this device."""
    return PeakDeviceMemory(device) if device.type == "cuda" else PeakMemory()


def anonymous_bytes() -> int:
    """Anonymous memory of this process in RAM."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise OSError("no RssAnon in the status of this process: peak memory is measured on Linux only")


def _processor() -> str:
    cpu_info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in cpu_info.read_text().splitlines() if line.startswith("model name")]
    return f"{names[0] if names else platform.processor() or platform.machine()} x {os.cpu_count()}"


def _synchronize(device: torch.device | None) -> None:
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize(device)
