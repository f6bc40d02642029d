"""What is done to each feature file in several runs over one cohort, and the seconds before the first epoch.

`python -m benchmarks.feature_index` trains 30 small runs over one cohort and counts, a file, how often it was opened,
fingerprinted, looked at for NaN and read whole. `--before SLIDES PATCHES DIM` writes a cohort of that size instead
(1000 10000 768 are 15 GB) to `--folder`, and times `main.py` from its start to its first epoch, three times: without an
index of the features, with one, and with `--verify full`. `--load LINES` times reading an index of so many lines.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import main as command
from benchmarks.timing import hardware
from utils.files.csv_table import csv_text
from utils.files.text_table import markdown_table

COUNTED = ("opened", "fingerprinted", "looked at for NaN", "read whole")
_CHILD = "--seconds_to_first_epoch"
_SETTLED = 2.5  # seconds after which the time of a file proves what it is


def get_args_parser() -> argparse.ArgumentParser:
    """The parser of this command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.feature_index", description=__doc__, allow_abbrev=False)
    parser.add_argument("--runs", type=int, default=30, help="runs that are counted (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=8, help="epochs of each (default: %(default)s)")
    parser.add_argument("--before", type=int, nargs=3, metavar=("SLIDES", "PATCHES", "DIM"), help="time such a cohort")
    parser.add_argument("--folder", type=Path, help="where cohorts are written (default: a temporary one)")
    parser.add_argument("--load", type=int, metavar="LINES", help="time the reading of an index")
    return parser


def main(args: argparse.Namespace) -> int:
    """Count, or time."""
    sys.stdout.write(f"{hardware()}, h5py {h5py.__version__}\n\n")
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        if args.load:
            sys.stdout.write(f"{args.load} lines: {seconds_of_loading(Path(folder), args.load):.2f} CPU s\n")
        elif args.before:
            n_slides, n_patches, dim = args.before
            write_cohort(Path(folder), n_slides, n_patches, dim)
            sys.stdout.write(markdown_table(rows_of_seconds(Path(folder))) + "\n")
        else:
            write_cohort(Path(folder), 20, 50, 16)
            sys.stdout.write(markdown_table(rows_of_counts(Path(folder), args.runs, args.epochs)) + "\n")
    return 0


def write_cohort(folder: Path, n_slides: int, n_patches: int, dim: int) -> None:
    """Slides of two classes in `features/`, contiguous .h5 files with coords, and one fold of them in `splits/`."""
    (folder / "features").mkdir()
    (folder / "splits").mkdir()
    base = np.random.default_rng(0).standard_normal((n_patches, dim), dtype=np.float32).astype(np.float16)
    coords = np.stack(np.divmod(np.arange(n_patches), 200), axis=1) * 512
    names = [f"slide_{number:06d}" for number in range(n_slides)]
    for number, name in enumerate(names):
        with h5py.File(folder / "features" / f"{name}.h5", "w") as file:
            base[0, 0] = number % 2048  # or the time goes into making numbers
            file["features"] = base
            file["coords"] = coords
    cuts = [0, n_slides * 6 // 10, n_slides * 8 // 10, n_slides]
    parts = [names[cuts[i] : cuts[i + 1]] for i in range(3)]
    rows: list[dict[str, Any]] = [{} for _ in parts[0]]
    for part, of_part in zip(("train", "val", "test"), parts, strict=True):
        for row, (number, name) in zip(rows, enumerate(of_part), strict=False):
            row |= {f"{part}_slide_id": name, f"{part}_label": number % 2}
    columns = [f"{part}_{what}" for part in ("train", "val", "test") for what in ("slide_id", "label")]
    (folder / "splits" / "fold0.csv").write_text(csv_text(columns, rows), encoding="utf-8")
    time.sleep(_SETTLED)


def options_of(folder: Path) -> list[str]:
    """Options of `main.py` for the cohort in this folder."""
    places = ["--features_dir", str(folder / "features"), "--splits_dir", str(folder / "splits"), "--anchors", "random"]
    where = ["--results_dir", str(folder / "results"), "--device", "cpu", "--no_figures", "--overwrite"]
    return ["--task", "cls", "--dataset", "cohort", *places, *where, "--model", "abmil", "--embed_dim", "16"]


def rows_of_counts(folder: Path, n_runs: int, epochs: int) -> list[list[str]]:
    """How often each file was opened and so on: in the first run, in each later one on average, in all."""
    counts = counting()
    n_files, totals = len(list((folder / "features").glob("*.h5"))), []
    for seed in range(n_runs):
        options = [*options_of(folder), "--seed", str(seed), "--epochs", str(epochs), "--patience", str(epochs)]
        status = command.main(command.get_args_parser().parse_args(options))
        if status:
            raise SystemExit(status)
        totals.append(dict(counts))
    first, last = totals[0], totals[-1]
    rows = [["a file was ...", "in the first run", "in each later run", f"in {n_runs} runs"]]
    for what in COUNTED:
        later = (last[what] - first[what]) / max(1, n_runs - 1)
        rows.append([what, *(f"{number / n_files:.2f}" for number in (first[what], later, last[what]))])
    return rows


def counting() -> Counter[str]:
    """Count calls of the reader from now on, wherever a module has a name for one of its functions."""
    import utils.pipeline.train_fold  # noqa: F401  all that reads features
    from datasets.slides import features, fingerprint, h5_opened, slide_checks

    counts: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))
    readers = (h5_opened.opened_h5, fingerprint.digest_of_rows, slide_checks.check_finite, features.load_content)
    functions: dict[str, Callable[..., Any]] = dict(zip(COUNTED, readers, strict=True))
    for what, function in functions.items():
        replace_everywhere(function, counted(function, counts, what))
    return counts


def counted(function: Callable[..., Any], counts: Counter[str], what: str) -> Callable[..., Any]:
    """The function, whose calls are counted."""

    def call(*arguments: Any, **options: Any) -> Any:
        counts[what] += 1
        return function(*arguments, **options)

    return call


def replace_everywhere(function: Callable[..., Any], other: Callable[..., Any]) -> None:
    """Put another function in the place of one, in the modules of this repository."""
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith(("datasets.", "utils.")):
            for name, value in list(vars(module).items()):
                if value is function:
                    setattr(module, name, other)


def rows_of_seconds(folder: Path) -> list[list[str]]:
    """Wall and CPU seconds of `main.py` until the first epoch begins, its imports included."""
    rows = [["run", "seconds", "CPU seconds"]]
    ways: dict[str, Sequence[str]] = {
        "first": (),
        "later": (),
        "once more": (),
        "later, --verify full": ("--verify", "full"),
    }
    if "verify" not in vars(command.get_args_parser().parse_args(options_of(folder))):  # of before there was an index
        ways = dict.fromkeys(list(ways)[:2], ())
    for name, options in ways.items():
        started = time.time()
        called = [sys.executable, "-m", "benchmarks.feature_index", _CHILD, *options_of(folder), *options]
        ended = subprocess.run(called, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise SystemExit(ended.stdout + ended.stderr)
        begun, used = map(float, ended.stdout.splitlines()[-1].split())
        rows.append([name, f"{begun - started:.1f}", f"{used:.1f}"])
    return rows


def print_first_epoch(options: Sequence[str]) -> None:
    """Run `main.py` up to its first epoch; print when that began, and the CPU seconds until then."""
    from utils.pipeline import train_fold

    def begun(*_arguments: Any, **_options: Any) -> None:
        sys.stdout.write(f"{time.time()} {time.process_time()}\n")
        sys.stdout.flush()
        os._exit(0)

    train_fold.run_fold = begun
    raise SystemExit(command.main(command.get_args_parser().parse_args(list(options))))


def seconds_of_loading(folder: Path, n_lines: int) -> float:
    """CPU seconds to read an index of so many whole lines, with names as TCGA's are."""
    from datasets.slides.index_table import IndexedSlide, read_table, write_table
    from datasets.slides.slide_values import SlideValues

    table = {
        f"TCGA-2F-A{number:05d}-01Z-00-DX1.195576CF-5b5c-4a4b-9a39-{number:012x}.h5": IndexedSlide(
            *(15_360_000 + number, 1_764_283_667_000_000_000 + number, 10_000, 768, "float16", f"{number:016x}"),
            has_coords=True,
            values=SlideValues(12 + number / 7, 112.5, None, None),
        )
        for number in range(n_lines)
    }
    write_table(folder / "index.csv", table)
    started = time.process_time()
    found = read_table(folder / "index.csv")
    seconds = time.process_time() - started
    if found != table:
        raise SystemExit("another table was read than was written")
    return seconds


if __name__ == "__main__":
    if sys.argv[1:2] == [_CHILD]:
        print_first_epoch(sys.argv[2:])
    sys.exit(main(get_args_parser().parse_args()))
