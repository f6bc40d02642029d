"""Command of the jobs of a batch system, one piece of a file: `utils.launch.run_piece PIECES.json NUMBER`.

The exit code is that of the piece. How it ended is written beside its log (`utils.launch.slurm.record`), unless a
signal broke it off: then the same command goes on from what is saved.
"""

from __future__ import annotations

if __name__ == "__main__":  # before anything that takes time to import
    from utils.machine.start import begin

    begin("run_piece")

import argparse
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from utils.command.arguments import OneLineParser
from utils.files.locks import HeldError, check_free
from utils.launch.piece import HELD, Ended, Piece
from utils.launch.piece_file import read_piece
from utils.launch.piece_log import as_its_log_says, end_of_log
from utils.launch.process import run_piece
from utils.launch.slurm.record import ended_well, folder_of, forget, write_ended, write_started
from utils.machine.interruption import SIGNALS
from utils.machine.process import exit_code

_HELD_FOR = 10.0  # seconds after which a place that another process writes is looked at again


def get_args_parser() -> argparse.ArgumentParser:
    """The parser of this command."""
    parser = OneLineParser("python -m utils.launch.run_piece", "Do one piece of a file of pieces.")
    parser.add_argument("pieces", type=Path, metavar="PIECES.json", help="a file of pieces")
    parser.add_argument("number", type=int, help="of the piece, from 0 on")
    return parser


def main(args: argparse.Namespace) -> int:
    """Do the piece, if those that it needs ended well, and return its exit code."""
    status = 0

    def work() -> None:
        nonlocal status
        status = do(*read_piece(args.pieces, args.number))

    return exit_code(work, "run_piece") or status


def do(piece: Piece, needs: Mapping[str, str]) -> int:
    """Do a piece and write how it ended; returns its exit code.

    Args:
        piece: to be done.
        needs: the names of the pieces that have to have ended well, by their labels.
    """
    forget([piece])
    for label, name in needs.items():
        if not ended_well(folder_of(piece), name):
            write_ended(piece, Ended(piece.label, 1, f"not run, because of: {label}"))
            return 1
    write_started(piece)
    begins, since = end_of_log(piece), time.time()
    while (status := run_piece(piece)) == HELD:
        wait_until_free(piece)
    if status not in {128 + number for number in SIGNALS}:
        write_ended(piece, as_its_log_says(piece, status, begins, time.time() - since))
    return status


def wait_until_free(piece: Piece) -> None:
    """Wait while another process has the locks of a piece."""
    while True:
        time.sleep(_HELD_FOR)
        try:
            check_free(piece.places)
        except HeldError:
            continue
        return


if __name__ == "__main__":
    sys.exit(main(get_args_parser().parse_args()))
