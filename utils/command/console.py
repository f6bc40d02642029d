"""What a command says on the terminal."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from utils.errors import UserError


class ProgressBarHandler(logging.Handler):
    """Writes log lines to standard output, above a progress bar that may be drawn."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        tqdm.write(self.format(record), file=sys.stdout)


def log_to_terminal() -> None:
    """Send log lines of level info and above to standard output, as plain text."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[ProgressBarHandler()], force=True)


def runs_parser(prog: str, description: str) -> argparse.ArgumentParser:
    """The command line of a module that works on the folders of runs."""
    parser = argparse.ArgumentParser(prog=prog, description=description, allow_abbrev=False)
    parser.add_argument("run_dir", nargs="+", type=Path, metavar="RUN_DIR", help="RESULTS/TASK/DATASET/RUN_NAME")
    return parser


def work_on_runs(parser: argparse.ArgumentParser, argv: Sequence[str] | None, work: Callable[[list[Path]], str]) -> int:
    """Call `work` with the folders and print the text it returns; a mistake of the user is one sentence, status 2."""
    args = parser.parse_args(argv)
    try:
        text = work(args.run_dir)
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except OSError as error:
        place = error.filename2 or error.filename
        sys.stderr.write(f"error: {place}: cannot be written ({error.strerror}); check the folder's rights.\n")
        return 2
    sys.stdout.write(text)
    return 0
