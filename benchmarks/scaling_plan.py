"""What cohorts of 1,000 to 1,000,000 slides take, worked out from figures that were measured.

    python -m benchmarks.scaling_plan [--slides 1000 100000 1000000] [--epochs 30 10 5] [--gpus 1 8 64] [--runs 30]

Nothing is measured here: each figure of `Costs` stands with where it comes from, and can be replaced by one of your own
machine (`--seconds_train 0.05`). Pieces are (run, fold); as many run at a time as there are GPUs, one on each.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import dataclass

from utils.files.phrases import duration
from utils.files.text_table import markdown_table

HOUR = 3600.0
TRAIN, VAL, TEST = 0.56, 0.19, 0.25  # of the cases of a fold, with 4 folds


@dataclass(frozen=True)
class Costs:
    """Seconds and bytes of a slide of 10,000 x 768 in float16.

    Attributes:
        look: CPU seconds of the first look at a file, once a cohort: 23.0 s for 1,000, the imports of 4 s left in
            (docs/performance.md, what the index saves).
        rows: CPU seconds to read the sampled rows of a known file for the anchors (docs/scaling.md, anchors).
        kmeans: seconds of k-means on the sample, which does not grow with the cohort.
        train: seconds a slide of an epoch in bf16, reading included: 1.3 s for 50 on an H100 (docs/performance.md).
        predict: seconds of a prediction on an H100 (same page), reading ahead hidden.
        tables: CPU seconds of tables, figures and report of a test case: 31 s for 100,000 (docs/performance.md).
        disk: bytes of a slide.
        memory: bytes that a process keeps of each slide that it knows: 1.04 GB for 100,000 (docs/scaling.md).
    """

    look: float = 0.023
    rows: float = 0.005
    kmeans: float = 20.0
    train: float = 0.026
    predict: float = 0.011
    tables: float = 0.0003
    disk: float = 10_000 * 768 * 2
    memory: float = 10_000.0


@dataclass(frozen=True)
class Plan:
    """What a cohort takes.

    Attributes:
        n_slides: of the cohort.
        n_epochs: of each fold.
        look: hours of the first look at all files, divided among the cores that read.
        anchors: hours of the data-set anchors of 4 folds.
        fold: hours of a fold on one GPU.
        table: hours of all runs, by the number of GPUs.
        reading: bytes a second that a GPU in training reads.
        disk: bytes of the cohort.
        memory: bytes of a process beside its slides.
    """

    n_slides: int
    n_epochs: int
    look: float
    anchors: float
    fold: float
    table: dict[int, float]
    reading: float
    disk: float
    memory: float


def plan(n_slides: int, n_epochs: int, *, gpus: list[int], n_runs: int, costs: Costs, n_cores: int = 8) -> Plan:
    """Work out what `n_runs` runs of 4 folds take.

    Args:
        n_slides: of the cohort.
        n_epochs: of each fold, until early stopping ends it.
        gpus: numbers of GPUs to work it out for.
        n_runs: models, ablations and seeds.
        costs: of a slide.
        n_cores: that look at files.

    >>> costs = Costs(look=0, rows=0, kmeans=0, train=1, predict=0, tables=0)
    >>> worked_out = plan(1000, 9, gpus=[1, 64], n_runs=16, costs=costs)
    >>> round(worked_out.fold, 3), {n: round(hours, 3) for n, hours in worked_out.table.items()}
    (1.4, {1: 89.6, 64: 1.4})
    """
    epoch = n_slides * (TRAIN * costs.train + VAL * costs.predict)
    fold = n_epochs * epoch + n_slides * (VAL + TEST) * costs.predict
    ends = n_runs * n_slides * costs.tables  # on the machine that the command runs on
    look = n_slides * costs.look / n_cores
    anchors = n_slides * costs.rows / n_cores + 4 * costs.kmeans
    table = {n: (look + anchors + math.ceil(4 * n_runs / n) * fold + ends) / HOUR for n in gpus}
    return Plan(
        n_slides,
        n_epochs,
        look / HOUR,
        anchors / HOUR,
        fold / HOUR,
        table,
        costs.disk / costs.train,
        n_slides * costs.disk,
        n_slides * costs.memory,
    )


def table_of(plans: list[Plan]) -> str:
    """The Markdown table of plans."""
    numbers = list(plans[0].table)
    header = ["", *(f"{each.n_slides:,} slides" for each in plans)]
    rows = [
        ["epochs of a fold (assumed)", *(str(each.n_epochs) for each in plans)],
        ["features on the disk, float16", *(_bytes(each.disk) for each in plans)],
        ["first look at all files, once", *(duration(each.look * HOUR) for each in plans)],
        ["data-set anchors of 4 folds", *(duration(each.anchors * HOUR) for each in plans)],
        ["a fold on one GPU", *(duration(each.fold * HOUR) for each in plans)],
        *([f"all runs on {n} GPU{'s' if n > 1 else ''}", *(_hours(each.table[n]) for each in plans)] for n in numbers),
        ["read by a GPU in training", *(f"{_bytes(each.reading)}/s" for each in plans)],
        ["memory of a process, beside slides", *(_bytes(each.memory) for each in plans)],
    ]
    return markdown_table([header, *rows]) + "\n"


def _bytes(number: float) -> str:
    unit, size = next((unit, size) for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)) if number >= size)
    return f"{number / size:.3g} {unit}"


def _hours(hours: float) -> str:
    return f"{hours / 24:.1f} days" if hours > 48 else duration(hours * HOUR)


def main(args: argparse.Namespace) -> None:
    """Print the table."""
    costs = Costs(train=args.seconds_train, predict=args.seconds_predict)
    if len(args.slides) != len(args.epochs):
        raise SystemExit(f"got {len(args.slides)} --slides and {len(args.epochs)} --epochs, expected as many of both")
    sizes = zip(args.slides, args.epochs, strict=True)
    plans = [plan(n, epochs, gpus=args.gpus, n_runs=args.runs, costs=costs, n_cores=args.cores) for n, epochs in sizes]
    sys.stdout.write(table_of(plans))


def get_args_parser() -> argparse.ArgumentParser:
    """The parser of this command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slides", type=int, nargs="+", default=[1000, 100_000, 1_000_000])
    parser.add_argument("--epochs", type=int, nargs="+", default=[30, 10, 5], help="of a fold, for each --slides")
    parser.add_argument("--gpus", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--runs", type=int, default=30, help="models and ablations times seeds")
    parser.add_argument("--cores", type=int, default=8, help="that look at files and read rows for anchors")
    parser.add_argument("--seconds_train", type=float, default=Costs.train, help="a slide of an epoch")
    parser.add_argument("--seconds_predict", type=float, default=Costs.predict, help="a slide of a prediction")
    return parser


if __name__ == "__main__":
    main(get_args_parser().parse_args())
