"""Seconds and memory of slides with 100,000 to 1,000,000 patches: prediction and training of MiCo and its plain path.

`python -m benchmarks.large_slides` prints a Markdown table, and how prediction grows with the patches. Slides are
float16 feature files in a temporary directory (2.4 GB), which pass through the reader, `collate` and the model, each
measurement in a process of its own. Memory is the peak of anonymous memory, without the pages of the mapped file; on a
GPU it is that of tensors, features included.
"""

from __future__ import annotations

import argparse
import json
import mmap
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from benchmarks.large_slides_process import Measurement
from benchmarks.timing import growth, hardware
from models import options_of
from models.kernels.row_blocks import BLOCK_ROWS
from utils.files.text_table import markdown_table

ROOT = Path(__file__).parents[1]
WRITE_ROWS = 8192
# Above so many patches, a slide in one piece would need more memory than is asked of a machine.
ONE_PIECE = 100_000
MICO = options_of("mico")
PARTS = ("predict", "train", "plain")
HEADER = [
    *("task", "path", "form", "precision", "patches", "seconds", "of these, reading", "patches a second"),
    *("peak memory (GB)", "passes", "difference", "of"),
]


def get_args_parser() -> argparse.ArgumentParser:
    """The parser of this command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large_slides", description=__doc__, allow_abbrev=False)
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS, help="what to measure (default: all)")
    parser.add_argument("--patches", type=int, nargs="+", default=(1000, 10000, 100000, 1000000), help="of prediction")
    parser.add_argument("--train_patches", type=int, default=100000, help="of training (default: %(default)s)")
    parser.add_argument("--gradient_patches", type=int, default=20000, help="of compared gradients")
    parser.add_argument("--plain_patches", type=int, nargs="+", default=(100000, 300000), help="of plain prediction")
    parser.add_argument("--plain_train_patches", type=int, default=50000, help="of plain training")
    parser.add_argument("--dim", type=int, default=768, help="D, width of the features (default: %(default)s)")
    parser.add_argument("--block_rows", type=int, default=BLOCK_ROWS, help="patches of a block (default: %(default)s)")
    parser.add_argument(
        "--recompute_above", type=int, default=MICO["recompute_above"].default, help="as in training by default"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser


@dataclass(frozen=True)
class Row:
    """A row of the table: what is measured, and what its difference is one of.

    Attributes:
        n_patches: of the slide.
        measurement: for the slide; its path is filled in later.
        difference: in words; empty where nothing is compared.
        gradients: a comparison of gradients that gives the difference, for a slide of its own.
    """

    n_patches: int
    measurement: Measurement
    difference: str = ""
    gradients: Measurement | None = None


class Slides:
    """Feature files of random patches, (M, D) float16, written when they are first asked for."""

    def __init__(self, directory: Path, dim: int) -> None:
        self.directory, self.dim = directory, dim

    def path(self, n_patches: int) -> str:
        """The file of a slide of so many patches."""
        path = self.directory / f"slide_{n_patches}.pt"
        if not path.exists():
            write_random(path, n_patches, self.dim)
        return str(path)


def write_random(path: Path, n_patches: int, dim: int) -> None:
    """Write standard normal features through a mapping, so that memory is bounded by a block."""
    with torch.serialization.skip_data():
        torch.save(torch.empty(n_patches, dim, dtype=torch.float16), path)
    with torch.serialization.set_default_mmap_options(mmap.MAP_SHARED):
        features = torch.load(path, mmap=True, weights_only=True)
    generator = torch.Generator().manual_seed(n_patches)
    for start in range(0, n_patches, WRITE_ROWS):
        rows = features[start : start + WRITE_ROWS]
        rows.copy_(torch.randn(rows.shape, generator=generator))


def rows_of(args: argparse.Namespace) -> Iterator[Row]:
    """The rows of the table, both forms in turn."""
    for formulation in MICO["formulation"].choices or ():
        base = Measurement("predict", "", formulation, "fp32", False, args.block_rows, args.recompute_above, 0, "")
        base = replace(base, device=args.device)
        for part in args.parts:
            yield from {"predict": prediction_rows, "train": training_rows, "plain": plain_rows}[part](args, base)


def prediction_rows(args: argparse.Namespace, base: Measurement) -> Iterator[Row]:
    """Predictions in blocks, compared with those in one block, or in others where that is too large."""
    for n_patches in args.patches:
        rows, what = n_patches, "logits, to one block"
        if n_patches > ONE_PIECE:
            rows = args.block_rows // 3
            what = f"logits, to blocks of {rows}"
        yield Row(n_patches, replace(base, other_rows=rows), what)


def training_rows(args: argparse.Namespace, base: Measurement) -> Iterator[Row]:
    """Training steps in blocks, with gradients compared at a size that fits in one block."""
    for precision in ("fp32", "bf16"):
        training = replace(base, task="train", precision=precision)
        compared = gradients_in_blocks(args, training)
        yield Row(args.train_patches, training, f"{what_of(args, compared)}, to one block", compared)


def plain_rows(args: argparse.Namespace, base: Measurement) -> Iterator[Row]:
    """What the plain path does in one piece, and how far MiCo in blocks is from it."""
    plain = replace(base, plain=True)
    for n_patches in args.plain_patches:
        yield Row(n_patches, replace(plain, other_rows=args.block_rows), "logits, to mico in blocks")
    compared = gradients_in_blocks(args, plain)
    what = f"{what_of(args, compared)}, to mico in blocks"
    yield Row(args.plain_train_patches, replace(plain, task="train"), what, compared)


def gradients_in_blocks(args: argparse.Namespace, training: Measurement) -> Measurement:
    """A comparison of gradients in five blocks.

    The paper form's are compared in fp64: in fp32, rounding made 5 of 20,000 patches choose another anchor, which moved
    a parameter's gradients by up to 10 %.
    """
    exact = training.formulation == "paper" and training.precision == "fp32"
    precision = "fp64" if exact else training.precision
    rows = -(-args.gradient_patches // 5)
    return replace(training, task="gradients", precision=precision, block_rows=rows, recompute_above=0)


def what_of(args: argparse.Namespace, compared: Measurement) -> str:
    """What a comparison of gradients compares, in words."""
    return f"gradients of {args.gradient_patches} in {compared.precision}, relative"


def run(measurement: Measurement) -> dict[str, float]:
    """What `benchmarks.large_slides_process` measures in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.large_slides_process", json.dumps(asdict(measurement))]
    ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return measured


def measured(row: Row, slides: Slides, n_gradient_patches: int) -> dict[str, float]:
    """What a row's processes measure."""
    found = run(replace(row.measurement, path=slides.path(row.n_patches)))
    if row.gradients is not None:
        found |= run(replace(row.gradients, path=slides.path(n_gradient_patches)))
    return found


def cells(row: Row, found: dict[str, float]) -> list[str]:
    """The cells of a row."""
    what = row.measurement
    return [
        "prediction" if what.task == "predict" else "training",
        "plain path" if what.plain else "mico",
        what.formulation,
        what.precision,
        str(row.n_patches),
        f"{found['seconds']:.3f}",
        f"{found['reading']:.3f}",
        f"{row.n_patches / found['seconds']:.0f}",
        f"{found['bytes'] / 1e9:.3f}",
        "" if what.plain else f"{found['passes']:g}",
        f"{found['difference']:.1e}",
        row.difference,
    ]


def growth_lines(results: list[tuple[Row, dict[str, float]]]) -> list[str]:
    """Seconds and memory of MiCo's predictions against patches."""
    lines = []
    for formulation in MICO["formulation"].choices or ():
        own = {
            row.n_patches: found
            for row, found in results
            if (row.measurement.task, row.measurement.plain) == ("predict", False)
            and row.measurement.formulation == formulation
        }
        if len(own) > 1:
            seconds = {n: found["seconds"] for n, found in own.items()}
            memory = {n: max(found["bytes"], 1) / 1e9 for n, found in own.items()}
            lines.append(growth(f"prediction, {formulation}, seconds by patches", seconds, digits=3))
            lines.append(growth(f"prediction, {formulation}, memory by patches", memory, unit="GB", digits=3))
    return lines


def main(args: argparse.Namespace) -> int:
    """Measure and write the table and the lines."""
    sys.stdout.write(
        f"{hardware(torch.device(args.device))}; one slide, D = {args.dim}, d = 512, K = 64, blocks of "
        f"{args.block_rows} patches, training in blocks above {args.recompute_above}; files in the page cache\n\n"
    )
    with tempfile.TemporaryDirectory() as temporary:
        slides = Slides(Path(temporary), args.dim)
        results = [(row, measured(row, slides, args.gradient_patches)) for row in rows_of(args)]
    sys.stdout.write(markdown_table([HEADER, *(cells(row, found) for row, found in results)]) + "\n")
    sys.stdout.write("".join(f"{line}\n" for line in ["", *growth_lines(results)]))
    return 0


if __name__ == "__main__":
    sys.exit(main(get_args_parser().parse_args()))
