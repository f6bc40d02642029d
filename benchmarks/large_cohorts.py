"""Tables, figures and reports of runs with very many test cases: CPU seconds and peak memory.

    python -m benchmarks.large_cohorts [--cases 1000 4000 25000] [--kinds survival "2 classes" "3 classes"]

Makes runs of 4 folds with so many test cases each (`benchmarks.large_cohort_runs`) and starts the commands that a user
starts, each as a process of its own. Seconds are of the processor (user and system, all threads), so that other work
on the machine does not count; they include the start of Python. Memory is the largest resident set.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.large_cohort_runs import KINDS, MODELS, write_runs
from benchmarks.processes import measured
from utils.files.text_table import markdown_table

_LARGE_FILE = 1e6  # bytes


def commands(root: Path) -> dict[str, list[str]]:
    """{what it makes: the arguments of Python}, over the runs of `write_runs`."""
    run = str(next((root / "seed1").glob(f"*/*/{next(iter(MODELS))}")))
    return {
        "tables": ["-m", "utils.tables", run],
        "figures": ["-m", "utils.figures", run],
        "report": ["-m", "utils.report", run],
        "report of 2 runs": ["-m", "utils.report", str(root / "seed1")],
        "paper, 4 runs": ["-m", "utils.paper", str(root / "plan.csv"), "--output_dir", str(root / "paper")],
    }


def large_files(root: Path) -> list[str]:
    """The largest report, picture and other file of the results that people open, in MB."""
    found: dict[str, int] = {}
    for path in root.rglob("*"):
        if path.suffix in (".html", ".png", ".json", ".md", ".svg"):
            found[path.suffix] = max(found.get(path.suffix, 0), path.stat().st_size)
    return [f"{suffix[1:]} {size / 1e6:.2f} MB" for suffix, size in sorted(found.items())]


def get_args_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large_cohorts", allow_abbrev=False)
    parser.add_argument("--cases", type=int, nargs="+", default=[1000, 4000, 25000], help="test cases of each fold")
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS), help="default: all")
    parser.add_argument("--only", nargs="+", default=None, help="commands, as the table names them; default: all")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table, and the largest file of each kind that was made."""
    args = get_args_parser().parse_args(argv)
    rows, sizes = [["run", "cases a fold", "what", "CPU seconds", "peak memory (GB)"]], []
    for kind in args.kinds:
        for n_cases in args.cases:
            with tempfile.TemporaryDirectory() as folder:
                root = Path(folder)
                write_runs(root, kind, n_cases)
                for what, arguments in commands(root).items():
                    if args.only is None or what in args.only:
                        used = measured(arguments)
                        rows.append([kind, str(n_cases), what, f"{used.seconds:.1f}", f"{used.gigabytes:.2f}"])
                        sys.stderr.write(" | ".join(rows[-1]) + "\n")
                sizes.append(f"- {kind}, {n_cases} cases a fold: {', '.join(large_files(root))}")
    sys.stdout.write(markdown_table(rows) + "\n\nLargest files:\n\n" + "\n".join(sizes) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
