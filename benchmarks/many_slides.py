"""A cohort of very many tiny slides through the commands that a user starts: seconds and peak memory of each.

    python -m benchmarks.many_slides [--slides 100000] [--task surv] [--folder /data/tmp] [--output steps.json]

Makes the cohort (`benchmarks.many_slides_cohort`; 100,000 files of 9 kB) and starts each command as a process of its
own, one after the other. Rows go to stderr as they come. CPU seconds are of all threads and processes of a command, its
start and imports included; memory is the largest resident set.

Bags so small are kept in memory, and trained in batches and by a small model: with one case a batch an epoch is as many
steps as cases, and with the released width and number of anchors a case of six patches takes as long as one of hundreds
(docs/scaling.md).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.many_slides_cohort import write_cohort
from benchmarks.processes import Usage, measured
from benchmarks.timing import hardware
from utils.files.text_table import markdown_table

SETTLED = 2.5  # seconds after which the time of a file proves what it is (`datasets.slides.file_state`)
_COLUMNS = {"surv": ["--time_column", "survival_months", "--censor_column", "censorship"], "cls": []}


def commands(root: Path, task: str, *, model: Sequence[str], n_clusters: int, epochs: int) -> dict[str, list[str]]:
    """{what it does: the arguments of Python}, in their order, over the cohort in `root`; `model` has its options."""
    places, results = {name: str(root / name) for name in ("features", "splits", "anchors")}, str(root / "results")
    dataset, fold = "many", str(root / "splits" / "fold0.csv")
    run_dir = str(root / "results" / task / dataset / "mico_released")
    clustering = ["--dataset_name", dataset, "--input_dir", places["features"], "--output_dir", places["anchors"]]
    clustering += ["--scope", "dataset", "--fold_csv", fold, "--n_clusters", str(n_clusters)]
    training = ["--task", task, "--dataset", dataset, "--features_dir", places["features"], "--results_dir", results]
    training += ["--splits_dir", places["splits"], "--folds", "0"]
    training += ["--anchors", str(root / "anchors" / f"{dataset}_C_{n_clusters}_init_fold{{fold}}.pt")]
    training += [
        "--n_clusters",
        str(n_clusters),
        *model,
        "--epochs",
        str(epochs),
        "--device",
        "cpu",
        "--cache",
        "ram",
        "--profile",
    ]
    labels = ["--labels", str(root / "labels.csv"), *_COLUMNS[task], "--features_dir", places["features"]]
    return {
        "splits, 4 folds": ["-m", "datasets.make_splits", *labels, "--task", task, "--output_dir", places["splits"]],
        "anchors of a fold, with the first look at all files": ["run_clustering.py", *clustering],
        "anchors again, files known": ["run_clustering.py", *clustering, "--overwrite"],
        f"one fold, {epochs} epochs": ["main.py", *training],
        "tables": ["-m", "utils.tables", run_dir],
        "figures": ["-m", "utils.figures", run_dir],
        "report": ["-m", "utils.report", run_dir],
        "status": ["-m", "utils.runs.status", results],
        "inspect all files": ["-m", "datasets.inspect", places["features"]],
    }


def get_args_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many_slides", allow_abbrev=False)
    parser.add_argument("--slides", type=int, default=100_000, help="default: %(default)s")
    parser.add_argument("--task", choices=list(_COLUMNS), default="surv", help="default: %(default)s")
    parser.add_argument("--batch_size", type=int, default=16, help="of main.py (default: %(default)s)")
    parser.add_argument("--embed_dim", type=int, default=64, help="of main.py (default: %(default)s)")
    parser.add_argument("--n_clusters", type=int, default=16, help="anchors (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=2, help="of main.py (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="OMP_NUM_THREADS of the commands (default: theirs)")
    parser.add_argument("--folder", type=Path, help="an empty or new one, which is kept (default: a temporary one)")
    parser.add_argument("--output", type=Path, help="also write the rows to this JSON file")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    args = get_args_parser().parse_args(argv)
    with tempfile.TemporaryDirectory() as temporary:
        root = args.folder or Path(temporary)
        found = steps(root, args)
        run_dir = next((root / "results" / args.task).glob("*/*"))
        profile = json.loads((run_dir / "fold0" / "profile.json").read_text(encoding="utf-8"))
        sizes = {path.name: path.stat().st_size / 1e6 for path in sorted(run_dir.rglob("*")) if path.is_file()}
    rows = [["step", "seconds", "CPU seconds", "peak memory (GB)"]]
    rows += [[what, f"{used.wall:.0f}", f"{used.seconds:.0f}", f"{used.gigabytes:.2f}"] for what, used in found.items()]
    sys.stdout.write(f"{hardware()}\n\n{markdown_table(rows)}\n\n")
    sys.stdout.write(f"One fold, seconds on the clock: {json.dumps(profile)}\n")
    largest = sorted(sizes, key=sizes.__getitem__)[:-6:-1]
    sys.stdout.write(f"Largest files: {', '.join(f'{name} {sizes[name]:.1f} MB' for name in largest)}\n")
    if args.output:
        record = {"slides": args.slides, "task": args.task, "hardware": hardware(), "profile": profile}
        record |= {"steps": {what: used._asdict() for what, used in found.items()}}
        args.output.write_text(json.dumps(record, indent=2), encoding="utf-8")
    return 0


def steps(root: Path, args: argparse.Namespace) -> dict[str, Usage]:
    """{step: what it took}, the writing of the cohort first."""
    started = time.perf_counter(), time.process_time()
    write_cohort(root, args.slides)
    wall, seconds = time.perf_counter() - started[0], time.process_time() - started[1]
    found = {"writing the cohort": Usage(wall, seconds, 0.0)}
    time.sleep(SETTLED)
    model = ["--batch_size", str(args.batch_size), "--embed_dim", str(args.embed_dim)]
    called = commands(root, args.task, model=model, n_clusters=args.n_clusters, epochs=args.epochs)
    for what, arguments in called.items():
        found[what] = measured(arguments, threads=args.threads)
        used = found[what]
        sys.stderr.write(f"{what}: {used.wall:.1f} s, {used.seconds:.1f} CPU s, {used.gigabytes:.2f} GB\n")
    return found


if __name__ == "__main__":
    sys.exit(main())
