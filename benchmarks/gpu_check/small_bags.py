"""Epochs over small bags: MiCo in batches, and its plain path case by case."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.gpu_check.check import Check
from benchmarks.gpu_check.measuring import free, timed
from benchmarks.gpu_check.report import PartReport
from benchmarks.gpu_check.steps import Call, objective, plain_model, plain_step
from benchmarks.gpu_check.variants import PAPER, RELEASED, Variant
from datasets.bags import Bag, collate
from datasets.folds.cases import Case
from datasets.slides.features import SlideFeatures
from utils.training.engine import Runner, train_epoch
from utils.training.optim import build_optimizer

BATCH_SIZES = (1, 8, 32)
PLAIN = "plain path"
REPEATS = 3


def run(check: Check, report: PartReport) -> None:
    """The table of epochs."""
    sizes = check.sizes
    table = report.table(
        f"An epoch over {sizes.bags} bags of {sizes.bag_patches} patches, D = {sizes.dim}",
        *("what", "form", "precision", "cases in a batch", "ms (median)", "fastest", "slowest", "bags a second"),
        "plain / this",
    )
    bags = bags_of(sizes.bags, sizes.bag_patches, sizes.dim)
    for precision in ("fp32", "bf16"):
        for variant in (RELEASED, PAPER):
            plain = None
            for what, batch_size in ((PLAIN, 1), *(("mico", size) for size in BATCH_SIZES)):
                named = f"{what} {variant.form}, {precision}, {batch_size} in a batch"
                if not report.time_for(named):
                    continue
                with report.attempt(named):
                    build = plain_epoch if what == PLAIN else mico_epoch
                    call = build(check, variant, precision, bags, batch_size)
                    timing = timed(call, check.device, seconds=0.0, repeats=REPEATS)
                    plain = timing.median if what == PLAIN else plain
                    ratio = None if plain is None else plain / timing.median
                    label = what, variant.form, precision, batch_size
                    table.add(*label, *timing.milliseconds(), sizes.bags / timing.median, ratio)
                free(check.device)
    report.note(
        "Joining bags to batches, their way to the device and an optimizer step a batch are in it; reading from disk "
        "is not."
    )


def bags_of(number: int, n_patches: int, dim: int) -> list[Bag]:
    """Bags of standard normal features, of two classes in turn, on the host."""
    generator = torch.Generator().manual_seed(0)
    bags = []
    for index in range(number):
        name = f"bag_{index}"
        slide = SlideFeatures(name, torch.randn(n_patches, dim, generator=generator), None, {})
        bags.append(Bag(Case(name, (name,), label=index % 2), (slide,), None))
    return bags


def mico_epoch(check: Check, variant: Variant, precision: str, bags: list[Bag], batch_size: int) -> Call:
    """An epoch by the training loop of the project."""
    model = variant.build(check.sizes).to(check.device)
    runner = Runner(model, check.device, precision)
    optimizer = build_optimizer("ranger", model, lr=2e-4, weight_decay=1e-5)
    scaler = torch.amp.GradScaler(check.device.type, enabled=False)
    groups = [bags[start : start + batch_size] for start in range(0, len(bags), batch_size)]

    def epoch() -> None:
        batches = (collate(group) for group in groups)
        sizes = [len(group) for group in groups]
        train_epoch(runner, batches, sizes, objective, optimizer, scaler, grad_accum=1, epoch=1, label="bags")

    return epoch


def plain_epoch(check: Check, variant: Variant, precision: str, bags: list[Bag], batch_size: int) -> Callable[[], None]:
    """An epoch of the plain path, case by case."""
    step = plain_step(plain_model(variant.form, check.sizes, check.device), precision, check.device)

    def epoch() -> None:
        for bag in bags:
            step(collate([bag]).to(check.device))

    return epoch
