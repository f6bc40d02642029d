"""Where the seconds of a whole fold go: a synthetic cohort through main.py, against a loop with the plain path.

`python -m benchmarks.folds` makes a cohort of 300 slides of 5,000 patches (2.3 GB) in a temporary directory, trains and
tests one fold of it with `--profile`, and prints a Markdown table. `--growth 10 100 1000` adds how the seconds grow
with the number of slides.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

import main as command
from benchmarks.timing import growth, hardware
from datasets.folds.cases import Fold
from datasets.folds.splits import read_fold
from datasets.synthetic.cohort import CohortSettings, make_cohort
from tests.reference.mico_plain import PlainMiCo
from utils.files.text_table import markdown_table
from utils.machine.memory import keep_freed_memory

GROWTH_PATCHES = 200
PARTS = ("reading", "forward", "backward", "optimizer", "the rest")


def get_args_parser() -> argparse.ArgumentParser:
    """The parser of this command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.folds", description=__doc__, allow_abbrev=False)
    parser.add_argument("--slides", type=int, default=300, help="slides of the cohort (default: %(default)s)")
    parser.add_argument("--patches", type=int, default=5000, help="patches of each (default: %(default)s)")
    parser.add_argument("--dim", type=int, default=768, help="D, width of the features (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=2, help="epochs of the fold (default: %(default)s)")
    parser.add_argument("--plain_slides", type=int, default=20, help="slides of the plain loop (default: %(default)s)")
    parser.add_argument("--growth", type=int, nargs="+", help="cohorts of so many slides of 200 patches, an epoch each")
    parser.add_argument("--device", default="auto", help="as main.py takes it (default: %(default)s)")
    return parser


def write_cohort(directory: Path, n_slides: int, n_patches: int, dim: int) -> None:
    """A classification cohort of one slide a case, float16 in .pt files."""
    settings = CohortSettings(
        task="cls",
        n_cases=n_slides,
        patches_per_slide=(n_patches, n_patches),
        dim=dim,
        decisive_patches=(1, min(8, n_patches)),
        dtype="float16",
        file_format="pt",
        n_folds=2,
    )
    make_cohort(directory, settings)


def run_fold(cohort: Path, options: Sequence[str]) -> dict[str, float]:
    """Train and test fold 0 through main.py: where its seconds went, and as `command` those of the whole call."""
    results = cohort / "results"
    places = ["--features_dir", str(cohort / "features"), "--splits_dir", str(cohort / "splits")]
    asked = ["--task", "cls", "--dataset", "cohort", *places, "--anchors", "random", "--results_dir", str(results)]
    called = [*asked, "--run_name", "run", "--folds", "0", "--overwrite", "--no_figures", "--profile", *options]
    started = time.perf_counter()
    status = command.main(command.get_args_parser().parse_args(called))
    seconds = time.perf_counter() - started
    if status:
        raise SystemExit(status)
    profile = results / "cls" / "cohort" / "run" / "fold0" / "profile.json"
    split: dict[str, float] = json.loads(profile.read_text(encoding="utf-8"))
    return {**split, "command": seconds}


def plain_seconds(cohort: Path, fold: Fold, n_slides: int, dim: int) -> tuple[float, float]:
    """Seconds a slide of training and of prediction, as a straightforward author would write them.

    A loop over slides: torch.load, widened to float32, the plain path, RAdam after every second slide.
    """
    torch.manual_seed(0)
    model = PlainMiCo(dim_in=dim, n_outputs=fold.n_outputs)
    optimizer = torch.optim.RAdam(model.parameters(), lr=2e-4, weight_decay=1e-5, decoupled_weight_decay=True)
    cases = [*fold.train, *fold.val][:n_slides]

    def read(slide_id: str) -> torch.Tensor:
        content: Any = torch.load(cohort / "features" / f"{slide_id}.pt", weights_only=True)
        return (content["features"] if isinstance(content, dict) else content).float()

    started = time.perf_counter()
    for number, case in enumerate(cases):
        loss = F.cross_entropy(model([[read(case.slide_ids[0])]]), torch.tensor([case.label]))
        (loss / 2).backward()
        if number % 2:
            optimizer.step()
            optimizer.zero_grad()
    trained = time.perf_counter()
    model.eval()
    with torch.no_grad():
        for case in cases:
            model([[read(case.slide_ids[0])]])
    return (trained - started) / len(cases), (time.perf_counter() - trained) / len(cases)


def table_of(args: argparse.Namespace) -> list[list[str]]:
    """The rows of the table: the fold by precision, form and cache, and the plain loop for as many slides."""
    rows = [["fold", *(f"{part} (s)" for part in PARTS), "fold (s)", "the rest", "command (s)", "plain / this"]]
    with tempfile.TemporaryDirectory() as temporary:
        cohort = Path(temporary)
        write_cohort(cohort, args.slides, args.patches, args.dim)
        fold = read_fold(cohort / "splits" / "fold0.csv", "cls", n_bins=4)
        step, prediction = plain_seconds(cohort, fold, args.plain_slides, args.dim)
        n_predicted = (args.epochs + 1) * len(fold.val) + len(fold.test)
        plain = args.epochs * len(fold.train) * step + n_predicted * prediction
        common = ["--epochs", str(args.epochs), "--device", args.device]
        for name, options in {
            "released, fp32": ["--precision", "fp32"],
            "released, fp32, --cache ram": ["--precision", "fp32", "--cache", "ram"],
            "released, bf16": ["--precision", "bf16"],
            "paper, fp32": ["--precision", "fp32", "--formulation", "paper"],
        }.items():
            split = run_fold(cohort, [*common, *options])
            share = f"{100 * split['the rest'] / split['total']:.1f} %"
            seconds = [f"{split[part]:.1f}" for part in (*PARTS, "total")]
            rows.append([name, *seconds, share, f"{split['command']:.1f}", f"{plain / split['total']:.2f}"])
    empty = [""] * len(PARTS)
    rows.append([f"plain loop, calculated from {args.plain_slides} slides", *empty, f"{plain:.1f}", "", "", "1"])
    return rows


def growth_line(slide_counts: Sequence[int], dim: int, device: str) -> str:
    """Seconds of a fold with one epoch against the number of slides."""
    seconds = {}
    for n_slides in slide_counts:
        with tempfile.TemporaryDirectory() as temporary:
            write_cohort(Path(temporary), n_slides, GROWTH_PATCHES, dim)
            seconds[n_slides] = run_fold(Path(temporary), ["--epochs", "1", "--device", device])["command"]
    return growth(f"slides of {GROWTH_PATCHES} patches (the whole command, one epoch)", seconds)


def main(args: argparse.Namespace) -> int:
    """Measure and write the table."""
    keep_freed_memory()
    rows = table_of(args)
    shape = f"{args.slides} slides of {args.patches} x {args.dim} float16, {args.epochs} epochs"
    sys.stdout.write(f"{hardware(torch.device('cpu'))}; {shape}\n\n{markdown_table(rows)}\n")
    if args.growth:
        sys.stdout.write(f"\n{growth_line(args.growth, args.dim, args.device)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(get_args_parser().parse_args()))
