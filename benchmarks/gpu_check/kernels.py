"""What a training step and a prediction ask of a GPU: kernels, copies, and how often the host waits."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu_check.check import Check
from benchmarks.gpu_check.measuring import free, synchronize, timed
from benchmarks.gpu_check.report import PartReport, Table
from benchmarks.gpu_check.steps import CALLS, Call
from benchmarks.gpu_check.variants import PAPER, RELEASED, Variant, case_of, installed, random_slide
from datasets.bags import Batch

WAITS = ("cudaStreamSynchronize", "cudaEventSynchronize")
SYNCHRONISING = "called a synchronizing CUDA operation"


@dataclass(frozen=True)
class Trace:
    """What the profiler saw of a call.

    Attributes:
        kernels: that ran on the GPU.
        kernel_ms: that all of them took.
        to_host, to_device, on_device: copies.
        fills: memory that was set to a value.
        waits: how often the host waited for a stream or an event.
        operations: of torch, on the host.
    """

    kernels: int
    kernel_ms: float
    to_host: int
    to_device: int
    on_device: int
    fills: int
    waits: int
    operations: int

    @classmethod
    def of(cls, events: list[dict[str, Any]]) -> Trace:
        """Count the events of a Chrome trace."""
        kinds = Counter(event.get("cat") for event in events)
        copies = [str(event["name"]) for event in events if event.get("cat") == "gpu_memcpy"]
        return cls(
            kernels=kinds["kernel"],
            kernel_ms=sum(event.get("dur", 0) for event in events if event.get("cat") == "kernel") / 1e3,
            to_host=sum("DtoH" in name for name in copies),
            to_device=sum("HtoD" in name for name in copies),
            on_device=sum("DtoD" in name for name in copies),
            fills=kinds["gpu_memset"],
            waits=sum(event.get("cat") == "cuda_runtime" and event["name"] in WAITS for event in events),
            operations=kinds["cpu_op"],
        )


def run(check: Check, report: PartReport) -> None:
    """The table of all models, and the places where the host waits."""
    n_patches = check.sizes.slides[0]
    table = report.table(
        f"One call with {n_patches} patches that are on the device in float16",
        *("model", "form", "precision", "task", "kernels", "ms in kernels", "ms (median)", "busy (%)"),
        *("copies to the host", "to the device", "on the device", "fills", "waits", "synchronising operations"),
        "operations of torch",
    )
    places = report.table(
        "Where the host waits for the device", *("model", "form", "precision", "task", "place", "times")
    )
    batch = case_of([random_slide(n_patches, check.sizes.dim, check.device)]).to(check.device)
    traced(lambda: torch.ones(8, device=check.device).sum().item(), check.device)  # the profiler's own start
    for variant in installed(report):
        for precision in ("bf16", "fp32") if variant in (RELEASED, PAPER) else ("bf16",):
            for task in CALLS:
                what = f"{variant}, {precision}, {task}"
                if report.time_for(what):
                    with report.attempt(what):
                        add_rows(check, (table, places), variant, precision, task, batch)
                free(check.device)
    explain(report)


def add_rows(
    check: Check, tables: tuple[Table, Table], variant: Variant, precision: str, task: str, batch: Batch
) -> None:
    """Count one call after others that have warmed it up."""
    call = CALLS[task](variant.build(check.sizes), batch, precision, check.device)
    timing = timed(call, check.device, seconds=check.sizes.repeat_seconds, repeats=check.sizes.repeats)
    seen = traced(call, check.device)
    waiting = synchronising(call) if check.is_cuda else Counter[str]()
    what = variant.name, variant.form, precision, task
    milliseconds = 1e3 * timing.median
    busy = 100 * seen.kernel_ms / milliseconds
    copies = seen.to_host, seen.to_device, seen.on_device
    times = seen.kernels, seen.kernel_ms, milliseconds, busy
    tables[0].add(*what, *times, *copies, seen.fills, seen.waits, waiting.total(), seen.operations)
    for place, number in waiting.most_common():
        tables[1].add(*what, place, number)


def traced(call: Call, device: torch.device) -> Trace:
    """What torch's profiler sees of one call."""
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.type == "cuda" else [])]
    synchronize(device)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        with profile(activities=activities) as profiler:
            call()
            synchronize(device)
        profiler.export_chrome_trace(str(path))
        events: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8", errors="replace"))["traceEvents"]
    return Trace.of(events)


def synchronising(call: Call) -> Counter[str]:
    """How often each line of code made the host wait in a call, as torch's debug mode reports it."""
    mode = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call()
    finally:
        torch.cuda.set_sync_debug_mode(mode)
    return Counter(
        f"{'/'.join(Path(warning.filename).parts[-3:])}:{warning.lineno}"
        for warning in caught
        if SYNCHRONISING in str(warning.message)
    )


def explain(report: PartReport) -> None:
    """What the columns mean."""
    report.note(
        "kernels, copies, fills and waits are events of torch.profiler in one call (waits: cudaStreamSynchronize and "
        "cudaEventSynchronize); busy: time in kernels over the median time of a call without profiler, the rest is "
        "waiting for the host. Synchronising operations are the warnings of "
        'torch.cuda.set_sync_debug_mode("warn"), which does not know all of them; the second table has their lines, '
        "those of the backward pass at the line that asked for it."
    )
