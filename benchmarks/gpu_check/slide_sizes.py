"""Seconds and memory of a training step and of a prediction, by the number of patches, for every model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.gpu_check.check import Check
from benchmarks.gpu_check.measuring import Timing, free, timed
from benchmarks.gpu_check.report import PartReport, Table, is_out_of_memory
from benchmarks.gpu_check.steps import CALLS
from benchmarks.gpu_check.variants import GRAPHS, MICO, Variant, case_of, installed, random_slide
from datasets.bags import Batch
from utils.errors import MachineError

LONGEST_SECONDS = 20.0
WHOLE_ROWS = 10**7  # as `--recompute_above`: training cuts no slide into blocks
TRAINING = "training step"


class Job(NamedTuple):
    """A call to be timed; `whole`: MiCo trains without blocks."""

    variant: Variant
    precision: str
    task: str
    whole: bool = False

    @property
    def name(self) -> str:
        """The job in words."""
        return f"{self.variant}, {self.precision}, {self.task}{', whole' if self.whole else ''}"


def smallest(check: Check, report: PartReport) -> None:
    """The smallest size of slide."""
    measure(check, report, check.sizes.slides[0], ("bf16", "fp32"))


def larger(check: Check, report: PartReport) -> None:
    """The other sizes; the largest in the precision that is the default on a GPU."""
    for n_patches in check.sizes.slides[1:]:
        precisions = ("bf16", "fp32") if n_patches < check.sizes.slides[-1] else ("bf16",)
        measure(check, report, n_patches, precisions)


def jobs(variants: list[Variant], precisions: tuple[str, ...], *, with_whole: bool) -> Iterator[Job]:
    """All calls of a size; those of graph models, which are slow, come last."""
    for of_graphs in (False, True):
        for precision in precisions:
            for variant in variants:
                if (variant.name in GRAPHS) != of_graphs:
                    continue
                for task in CALLS:
                    yield Job(variant, precision, task)
                    if with_whole and variant.name == MICO and task == TRAINING:
                        yield Job(variant, precision, task, whole=True)


def measure(check: Check, report: PartReport, n_patches: int, precisions: tuple[str, ...]) -> None:
    """The table of one size."""
    if not report.time_for(f"slides of {n_patches} patches"):
        return
    table = report.table(
        f"One slide of {n_patches} patches, D = {check.sizes.dim}, float16 on the host",
        *("model", "form", "precision", "task", "ms (median)", "fastest", "slowest", "patches a second"),
        *("peak memory (GB)", "reserved (GB)", "remark"),
    )
    free(check.device)
    batch = case_of([random_slide(n_patches, check.sizes.dim, check.device)])
    batch = batch.pin_memory() if check.is_cuda else batch
    with_whole = n_patches > check.sizes.slides[0]
    for job in jobs(installed(report), precisions, with_whole=with_whole):
        expected = check.expected(tuple(job.name.split(", ")), n_patches)
        if expected > LONGEST_SECONDS:
            report.leave_out(f"{job.name}, {n_patches} patches", f"about {expected:.0f} s expected")
        elif report.time_for(f"{job.name}, {n_patches} patches", needs=2 * expected):
            with report.attempt(f"{job.name}, {n_patches} patches"):
                add_row(check, table, job, batch)
        free(check.device)
    if n_patches == check.sizes.slides[0]:
        explain(report)


def add_row(check: Check, table: Table, job: Job, batch: Batch) -> None:
    """Time a job; too little memory is a result."""
    n_patches = len(batch.features)
    what = job.variant.name, job.variant.form, job.precision, job.task
    try:
        timing = timing_of(check, job, batch)
    except (RuntimeError, MachineError) as error:
        if not is_out_of_memory(error):
            raise
        table.add(*what, None, None, None, None, None, None, "out of memory")
        return
    check.remember(tuple(job.name.split(", ")), n_patches, timing.median)
    remark = "not cut into blocks (--recompute_above)" if job.whole else ""
    rate = n_patches / timing.median
    table.add(*what, *timing.milliseconds(), rate, timing.peak_gb, timing.reserved_gb, remark)


def timing_of(check: Check, job: Job, batch: Batch) -> Timing:
    """Build the model and time its call."""
    options = {"recompute_above": WHOLE_ROWS} if job.whole else {}
    model = job.variant.build(check.sizes, **options)
    call = CALLS[job.task](model, batch, job.precision, check.device)
    return timed(call, check.device, seconds=check.sizes.repeat_seconds, repeats=check.sizes.repeats)


def explain(report: PartReport) -> None:
    """What the columns mean."""
    report.note(
        "A call takes the slide from pinned memory to the device, as the training loop does, and in a prediction the "
        "logits back; a training step is forward, backward and optimizer with dropout. peak memory is "
        "torch.cuda.max_memory_allocated: features, parameters, moments of the optimizer and all that the call needs; "
        "reserved is what torch had taken from the device."
    )
    report.note(
        "fp32 is torch's: no TF32 in matrix products, TF32 in convolutions (transmil, dsmil). A call of more than a "
        "second is timed once."
    )
