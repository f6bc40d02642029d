"""The command `python -m utils.tables RUN_DIR ...`: compute the summaries of runs again, from their predictions."""

from __future__ import annotations

if __name__ == "__main__":  # before anything that takes time to import
    from utils.machine.start import begin

    begin("python -m utils.tables")

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from utils.command.console import runs_parser
from utils.machine.process import exit_code
from utils.runs.predict_dir import is_cohort
from utils.tables.summary import summarise, write_summary_of
from utils.tables.summary_text import format_summary
from utils.tables.validation import validate, write_validation_of
from utils.tables.validation_text import format_validation


def get_args_parser() -> argparse.ArgumentParser:
    """The command line of `python -m utils.tables`."""
    description = "Write summary.csv, summary.json and summary.md of each run again, from its prediction files."
    return runs_parser("python -m utils.tables", description)


def main(argv: Sequence[str] | None = None) -> int:
    """Rewrite and print the summaries of runs and predicted cohorts; none is written if one of them cannot be made."""

    def work(folders: list[Path]) -> str:
        summaries = [validate(folder) if is_cohort(folder) else summarise(folder) for folder in folders]
        texts = []
        for folder, summary in zip(folders, summaries, strict=True):
            if is_cohort(folder):
                write_validation_of(folder, summary)
                texts.append(format_validation(summary))
            else:
                write_summary_of(folder, summary)
                texts.append(format_summary(summary))
        return "\n".join(texts)

    args = get_args_parser().parse_args(argv)
    return exit_code(lambda: sys.stdout.write(work(args.run_dir)), "python -m utils.tables")


if __name__ == "__main__":
    sys.exit(main())
