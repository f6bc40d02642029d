"""What a command says on the terminal."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from utils.command.arguments import OneLineParser

OWN_LOGGERS = ("main", "run_clustering", "datasets", "models", "utils")


class ProgressBarHandler(logging.Handler):
    """Writes log lines to standard output, above a progress bar that may be drawn."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        from tqdm import tqdm  # a command that only says what is wrong with its options needs no progress bar

        tqdm.write(self.format(record), file=sys.stdout)
        sys.stdout.flush()


def log_to_terminal() -> None:
    """Send log lines to standard output, as plain text: of this repository from level info, of packages from warning.

    Packages are imported later, and faiss tells at level info how it looks for its libraries.
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[ProgressBarHandler()], force=True)
    for name in OWN_LOGGERS:
        logging.getLogger(name).setLevel(logging.INFO)


def runs_parser(prog: str, description: str) -> argparse.ArgumentParser:
    """The command line of a module that works on the folders of runs."""
    parser = OneLineParser(prog, description)
    parser.add_argument("run_dir", nargs="+", type=Path, metavar="RUN_DIR", help="RESULTS/TASK/DATASET/RUN_NAME")
    return parser
