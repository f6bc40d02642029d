"""What a command says on the terminal."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from utils.command.arguments import OneLineParser
from utils.errors import UserError

OWN_LOGGERS = ("main", "run_clustering", "datasets", "models", "utils")


class ProgressBarHandler(logging.Handler):
    """Writes log lines to standard output, above a progress bar that may be drawn."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        from tqdm import tqdm  # a command that only says what is wrong with its options needs no progress bar

        try:
            tqdm.write(self.format(record), file=sys.stdout)
            sys.stdout.flush()
        except BrokenPipeError:
            discard_output()


def discard_output() -> None:
    """Discard standard output from here on: its reader (such as `head`) has gone, and the work goes on."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


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


def work_on_runs(parser: argparse.ArgumentParser, argv: Sequence[str] | None, work: Callable[[list[Path]], str]) -> int:
    """Call `work` with the folders and print the text it returns; returns the exit code (see `exit_code`)."""
    args = parser.parse_args(argv)
    return exit_code(lambda: sys.stdout.write(work(args.run_dir)))


def exit_code(work: Callable[[], object]) -> int:
    """Do the work of a command; returns 0, or 2 after one sentence on standard error.

    The sentence is that of a UserError, or names the place that cannot be written. Where nobody reads standard output
    any more, what is left to say is discarded.
    """
    try:
        work()
        sys.stdout.flush()
    except UserError as error:
        problem = str(error)
    except BrokenPipeError:
        discard_output()
        return 0
    except OSError as error:
        place = error.filename2 or error.filename
        problem = f"{place}: cannot be written ({error.strerror}); check the folder's rights." if place else str(error)
    else:
        return 0
    sys.stderr.write(f"error: {problem}\n")
    return 2
