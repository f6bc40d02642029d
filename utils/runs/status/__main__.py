"""The command `python -m utils.runs.status`: say how far the runs below a results folder are, and what is left."""

from __future__ import annotations

if __name__ == "__main__":  # before anything that takes time to import
    from utils.machine.start import begin

    begin("python -m utils.runs.status")

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from utils.command.arguments import OneLineParser
from utils.machine.process import exit_code
from utils.runs.status.run_progress import progress_of
from utils.runs.status.text import as_json, in_words


def get_args_parser() -> argparse.ArgumentParser:
    """The parser of this command."""
    description = (
        "Say which folds of each run are done, running, failed, interrupted or missing, and the time left. "
        "Nothing is written; runs may be under way."
    )
    parser = OneLineParser("python -m utils.runs.status", description)
    parser.add_argument("results_dir", type=Path, metavar="RESULTS", help="folder that main.py --results_dir wrote to")
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code, see `utils.machine.process.exit_code`."""
    args = get_args_parser().parse_args(argv)

    def work() -> None:
        progress = progress_of(args.results_dir)
        text = json.dumps(as_json(progress), indent=2) + "\n" if args.json else in_words(progress)
        sys.stdout.write(text)

    return exit_code(work, "python -m utils.runs.status")


if __name__ == "__main__":
    sys.exit(main())
