"""The command `python -m utils.tables RUN_DIR ...`: compute the summaries of runs again, from their predictions."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from utils.command.console import runs_parser, work_on_runs
from utils.tables.summary import summarise, write_summary_of
from utils.tables.summary_text import format_summary


def get_args_parser() -> argparse.ArgumentParser:
    """The command line of `python -m utils.tables`."""
    description = "Write summary.csv, summary.json and summary.md of each run again, from its prediction files."
    return runs_parser("python -m utils.tables", description)


def main(argv: Sequence[str] | None = None) -> int:
    """Rewrite and print the summaries of each run; nothing is written if one of them cannot be made."""

    def work(run_dirs: list[Path]) -> str:
        summaries = [summarise(run_dir) for run_dir in run_dirs]
        for run_dir, summary in zip(run_dirs, summaries, strict=True):
            write_summary_of(run_dir, summary)
        return "\n".join(format_summary(summary) for summary in summaries)

    return work_on_runs(get_args_parser(), argv, work)


if __name__ == "__main__":
    sys.exit(main())
