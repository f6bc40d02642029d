"""Epochs of a fold through the project's own batches, reader, cache and training loop, and where the seconds go."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from benchmarks.gpu_check.check import Check
from benchmarks.gpu_check.measuring import free, seconds_of
from benchmarks.gpu_check.report import PartReport, Table
from benchmarks.gpu_check.steps import objective
from benchmarks.gpu_check.variants import PAPER, RELEASED, Variant, random_slide
from datasets.bags import BagDataset
from datasets.batches import EvaluationBatches, TrainingBatches
from datasets.folds.cases import Case
from datasets.slides.features import SlideFeatures, read_slide, write_slide
from datasets.slides.slide_cache import SlideCache
from utils.machine.seed import derive_seed
from utils.machine.stopwatch import PARTS, Stopwatch
from utils.pipeline.inputs import batch_reader
from utils.training.engine import Runner, predict, train_epoch
from utils.training.optim import build_optimizer

WORKERS, GRAD_ACCUM = 2, 2  # the defaults of main.py
CACHE_BYTES = 10**11


@dataclass(frozen=True)
class Setting:
    """A row of the table: the model, `--precision`, `--cache` and `--num_workers`."""

    variant: Variant
    precision: str
    cache: str
    workers: int = WORKERS

    @property
    def name(self) -> str:
        """The setting in words."""
        return f"{self.variant.form}, {self.precision}, cache {self.cache}, {self.workers} threads"


SETTINGS = (
    Setting(RELEASED, "bf16", "none"),
    Setting(RELEASED, "bf16", "ram"),
    Setting(RELEASED, "fp32", "ram"),
    Setting(PAPER, "bf16", "ram"),
    Setting(PAPER, "fp32", "ram"),
    Setting(RELEASED, "bf16", "none", workers=8),
    Setting(RELEASED, "bf16", "ram", workers=0),
)


def run(check: Check, report: PartReport) -> None:
    """The table of all settings; the slides are in temporary files, in the page cache."""
    sizes = check.sizes
    table = report.table(
        f"An epoch over {sizes.fold_slides} slides of {sizes.fold_patches} x {sizes.dim} float16 in .pt files",
        *("form", "precision", "--cache", "--num_workers", "epoch (s)", "slides a second", "prediction (s)"),
        *(f"{part} (s)" for part in PARTS),
        *("the rest (s)", "epoch, waiting for the device at each part (s)"),
    )
    with tempfile.TemporaryDirectory() as folder:
        paths = write_slides(Path(folder), check)
        for setting in SETTINGS:
            if report.time_for(setting.name):
                with report.attempt(setting.name):
                    add_row(check, table, setting, paths)
            free(check.device)
    report.note(
        "epoch and prediction are timed as main.py runs without --profile. The split is that of another epoch whose "
        "stopwatch waits for the device at the beginning and the end of each part, as with --profile: without waiting, "
        "what the device still has to do counts where the host next asks it for a number, which is in forward. "
        "reading is the time until a batch is there and its copy to the device is done. One epoch before warms up, and "
        "with --cache ram fills the cache. Batches of one case, an optimizer step every second batch."
    )


def write_slides(folder: Path, check: Check) -> dict[str, Path]:
    """Feature files of random slides."""
    paths = {f"slide_{number:03d}": folder / f"slide_{number:03d}.pt" for number in range(check.sizes.fold_slides)}
    for number, path in enumerate(paths.values()):
        write_slide(path, random_slide(check.sizes.fold_patches, check.sizes.dim, check.device, seed=number).clone())
    return paths


def add_row(check: Check, table: Table, setting: Setting, paths: dict[str, Path]) -> None:
    """Time the epochs of a setting."""
    read = SlideCache(CACHE_BYTES).read if setting.cache == "ram" else read_slide
    training, evaluation = batches_of(check, setting, paths, read)
    model = setting.variant.build(check.sizes).to(check.device)
    optimizer = build_optimizer("ranger", model, lr=2e-4, weight_decay=1e-5)
    scaler = torch.amp.GradScaler(check.device.type, enabled=False)

    def epoch(number: int, stopwatch: Stopwatch) -> None:
        runner = runner_of(check, setting, model, stopwatch)
        options = {"grad_accum": GRAD_ACCUM, "epoch": number, "label": "epoch"}
        sizes = training.batch_sizes
        train_epoch(runner, training.epoch(number), sizes, objective, optimizer, scaler, **options)  # type: ignore[arg-type]

    seconds_of(lambda: epoch(1, Stopwatch()), check.device)
    plain = seconds_of(lambda: epoch(2, Stopwatch()), check.device)
    runner = runner_of(check, setting, model, Stopwatch())
    predicted = seconds_of(lambda: predict(runner, evaluation, n_batches=len(evaluation), label="fold"), check.device)
    stopwatch = Stopwatch(check.device)
    epoch(3, stopwatch)
    split = stopwatch.split()
    what = setting.variant.form, setting.precision, setting.cache, setting.workers
    parts = [split[part] for part in (*PARTS, "the rest", "total")]
    table.add(*what, plain, len(paths) / plain, predicted, *parts)


def runner_of(check: Check, setting: Setting, model: nn.Module, stopwatch: Stopwatch) -> Runner:
    """The model with all that stands between it and a batch."""
    return Runner(model, check.device, setting.precision, stopwatch=stopwatch)


def batches_of(
    check: Check, setting: Setting, paths: dict[str, Path], read: Callable[[Path], SlideFeatures]
) -> tuple[TrainingBatches, EvaluationBatches]:
    """The batches of training and of prediction, of all slides."""
    cases = [Case(name, (name,), label=number % 2) for number, name in enumerate(paths)]
    dataset = BagDataset(cases, paths, read=read)
    reader = batch_reader(setting.workers, check.device)
    training = TrainingBatches(
        dataset, batch_size=1, weighted=False, seed_of_epoch=lambda e: derive_seed(0, "order", e), reader=reader
    )
    return training, EvaluationBatches(dataset, batch_size=1, reader=reader)
