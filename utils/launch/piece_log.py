"""The log of a piece: where its output of this time begins, and what it says of how the piece ended."""

from __future__ import annotations

from utils.launch.piece import Ended, Piece


def end_of_log(piece: Piece) -> int:
    """Where the log goes on, in bytes; its folder, and an empty log, are made."""
    piece.log.parent.mkdir(parents=True, exist_ok=True)
    with piece.log.open("ab") as file:
        return file.tell()


def lines_of_log(piece: Piece, begin: int) -> list[str]:
    """The lines of a log from there on."""
    with piece.log.open("rb") as file:
        file.seek(begin)
        return file.read().decode("utf-8", errors="replace").strip().splitlines()


def as_its_log_says(piece: Piece, status: int, begin: int, seconds: float, said: str = "") -> Ended:
    """How a piece ended, in the words of its log.

    Args:
        piece: that ended.
        status: its exit code.
        begin: where its log began.
        seconds: that it took.
        said: what is said of it instead of the last line.
    """
    lines = lines_of_log(piece, begin)
    warnings = tuple(line for line in lines if line.startswith("warning: "))
    return Ended(piece.label, status, said or (lines[-1] if lines else ""), warnings, seconds)
