from __future__ import annotations

from pathlib import Path

from utils.launch.piece import Ended, Piece
from utils.launch.piece_log import as_its_log_says, end_of_log, lines_of_log


def piece_of(log: Path) -> Piece:
    return Piece("fold 0", "fold 0", "fold", print, "main.py", log)


def test_a_log_that_is_not_there_begins_empty(tmp_path: Path):
    piece = piece_of(tmp_path / "logs" / "run.log")
    assert end_of_log(piece) == 0
    assert as_its_log_says(piece, 1, 0, 2.0) == Ended("fold 0", 1, "", (), 2.0)


def test_only_what_was_written_since_counts(tmp_path: Path):
    piece = piece_of(tmp_path / "run.log")
    piece.log.write_text("warning: of before\n")
    begin = end_of_log(piece)
    with piece.log.open("ab") as file:
        file.write(b"warning: one\n\xff\nit ends so\n")
    assert lines_of_log(piece, begin) == ["warning: one", "\ufffd", "it ends so"]
    assert as_its_log_says(piece, 0, begin, 3.0) == Ended("fold 0", 0, "it ends so", ("warning: one",), 3.0)
    assert as_its_log_says(piece, 1, begin, 3.0, "its node died.").said == "its node died."
