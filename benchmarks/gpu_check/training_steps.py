"""A training step of every model in every precision, beside the plain path and the matrix products alone."""

from __future__ import annotations

import torch

from benchmarks.gpu_check.check import Check
from benchmarks.gpu_check.measuring import Timing, free, tf32, timed
from benchmarks.gpu_check.report import PartReport, Table
from benchmarks.gpu_check.steps import Call, engine_precision, plain_call, training_call
from benchmarks.gpu_check.variants import GRAPHS, PAPER, RELEASED, case_of, installed, random_slide
from benchmarks.products import n_operations, products_alone, released_products
from datasets.bags import Batch
from models.baselines.patch_graph import neighbour_edges
from models.kernels.segment_ops import Segments
from utils.machine.device import AUTOCAST_DTYPES

PRECISIONS = ("fp32", "tf32", "bf16", "fp16")
PLAIN, PRODUCTS = "mico, plain path", "matrix products alone"


def run(check: Check, report: PartReport) -> None:
    """The table of training steps, with features on the device in float32."""
    n_patches = check.sizes.slides[0]
    table = report.table(
        f"A training step, one case of {n_patches} patches on the device in float32, D = {check.sizes.dim}",
        *("model", "form", "precision", "ms (median)", "fastest", "slowest", "peak memory (GB)", "plain / this"),
        "TFLOP/s",
    )
    batch = case_of([random_slide(n_patches, check.sizes.dim, check.device).float()]).to(check.device)
    for precision in PRECISIONS:
        with tf32(precision == "tf32", True):
            add_products(check, report, table, precision)
            plain = add_plain(check, report, table, batch, precision)
            add_models(check, report, table, batch, precision, plain)
    add_graph(check, report, table, batch)
    report.note(
        "plain / this: how many times longer the plain path (tests/reference/mico_plain.py, a loop over slides with "
        "torch's RAdam and a simple Lookahead) takes in the same form and precision. TFLOP/s: operations of the matrix "
        "products of the released form, forward and backward, over the seconds. fp32 and tf32 differ in matrix "
        "products; convolutions have TF32, as torch sets it, in both."
    )


def add_products(check: Check, report: PartReport, table: Table, precision: str) -> None:
    """The matrix products of the released form alone, each at its own shape."""
    sizes = check.sizes
    if not report.time_for(f"{PRODUCTS}, {precision}"):
        return
    with report.attempt(f"{PRODUCTS}, {precision}"):
        shapes = {"n_anchors": sizes.n_anchors, "embed_dim": sizes.embed_dim, "n_outputs": sizes.n_outputs}
        products = released_products(sizes.slides[0], sizes.dim, **shapes)
        dtype = AUTOCAST_DTYPES[engine_precision(precision)] or torch.float32
        timing = time_of(check, products_alone(products, dtype, check.device))
        add_row(table, (PRODUCTS, "released", precision), timing, None, n_operations(products))
    free(check.device)


def add_plain(check: Check, report: PartReport, table: Table, batch: Batch, precision: str) -> dict[str, float]:
    """The plain path in both forms; its seconds by form."""
    found = {}
    for variant in (RELEASED, PAPER):
        what = PLAIN, variant.form, precision
        if report.time_for(", ".join(what)):
            with report.attempt(", ".join(what)):
                timing = time_of(check, plain_call(variant, batch, precision, check.sizes, check.device))
                found[variant.form] = timing.median
                add_row(table, what, timing, 1.0, None)
        free(check.device)
    return found


def add_models(
    check: Check, report: PartReport, table: Table, batch: Batch, precision: str, plain: dict[str, float]
) -> None:
    """All models."""
    for variant in installed(report):
        what = variant.name, variant.form, precision
        if report.time_for(", ".join(what)):
            with report.attempt(", ".join(what)):
                call = training_call(variant.build(check.sizes), batch, precision, check.device)
                timing = time_of(check, call)
                add_row(table, what, timing, ratio(plain.get(variant.form), timing), None)
        free(check.device)


def add_graph(check: Check, report: PartReport, table: Table, batch: Batch) -> None:
    """The neighbours that the graph models look for in each call, on the CPU."""
    if report.time_for("neighbours"):
        with report.attempt("neighbours"):
            slides = Segments.from_index(batch.slide_index, 1)
            coords = batch.coords
            if coords is None:
                raise ValueError("got no coords, expected a grid")
            timing = time_of(check, lambda: neighbour_edges(coords, slides))
            add_row(table, (f"neighbours of {' and '.join(GRAPHS)} alone, on the CPU", "", ""), timing, None, None)


def add_row(
    table: Table, what: tuple[str, str, str], timing: Timing, plain_ratio: float | None, operations: int | None
) -> None:
    """A row of the table."""
    rate = None if operations is None else operations / timing.median / 1e12
    table.add(*what, *timing.milliseconds(), timing.peak_gb, plain_ratio, rate)


def ratio(plain: float | None, timing: Timing) -> float | None:
    """How many times longer the plain path takes; None where there is none."""
    return None if plain is None else plain / timing.median


def time_of(check: Check, call: Call) -> Timing:
    """Time a call as often as the sizes say."""
    return timed(call, check.device, seconds=check.sizes.repeat_seconds, repeats=check.sizes.repeats)
