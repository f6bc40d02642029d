"""What is said of the pieces of a launch: a line for each part, what waits, what warns, and the time that is left."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from utils.launch.piece import Ended, Piece, Watcher
from utils.launch.progress import Progress, run_with_progress


def piece(label: str, part: str, kind: str = "fold") -> Piece:
    return Piece(label, part, kind, print, "prog", Path("a.log"))


class Replay:
    """A launcher whose pieces end as they are told to."""

    n_slots, device = 1, "cpu"

    def __init__(self, *results: Ended) -> None:
        self.results = results

    def run(self, pieces: Sequence[Piece], watcher: Watcher) -> list[Ended]:
        for each, result in zip(pieces, self.results, strict=True):
            watcher.started(each)
            if result.status < 0:
                watcher.put_back(each, "its process was killed")
                watcher.started(each)
            watcher.ended(each, result)
            watcher.tick()
        return list(self.results)


RUN = [
    piece("a, beginning", "a", "begin"),
    piece("a, fold 0", "a"),
    piece("a, fold 1", "a"),
    piece("a, end", "a", "end"),
]


def test_a_line_for_each_part(capsys: pytest.CaptureFixture[str]):
    warned = ("warning: small", "warning: small")
    pieces = [piece("8 anchors", "8 anchors", "anchors"), *RUN]
    results = [Ended("8 anchors", 0, "wrote", (), 3.4)]
    results += [Ended(each.label, 0, "well", warned if each.kind == "fold" else (), 2.0) for each in RUN]
    parts = run_with_progress(pieces, Replay(*results))
    assert capsys.readouterr() == (
        "1 of 2  done: 8 anchors: 3 s\nwarning: small\n2 of 2  done: a: 8 s\n",
        "",
    )
    assert parts == [Ended("8 anchors", 0, "wrote", (), 3.4), Ended("a", 0, "well", warned * 2, 8.0)]


def test_the_first_failure_of_a_part_is_told(capsys: pytest.CaptureFixture[str]):
    results = [Ended(RUN[0].label, 0, "", (), 1.0), Ended(RUN[1].label, 0, "", (), 1.0)]
    results += [Ended(RUN[2].label, 2, "main.py: error: x", (), 1.0), Ended(RUN[3].label, 1, "not run")]
    parts = run_with_progress(RUN, Replay(*results))
    assert parts == [Ended("a", 2, "a, fold 1: main.py: error: x", (), 3.0)]
    assert capsys.readouterr().out == "1 of 1  FAILED: a: a, fold 1: main.py: error: x\n"


def test_what_waits_is_told_at_once(capsys: pytest.CaptureFixture[str]):
    run_with_progress([piece("fold 0", "fold 0")], Replay(Ended("fold 0", -9, "killed")))
    assert capsys.readouterr().out == "fold 0: its process was killed\n1 of 1  FAILED: fold 0: killed\n"


def test_the_time_that_is_left_is_that_of_pieces_of_the_kind():
    """Folds took 60 and 20 s, and an end 4 s: two folds and an end are left, in two places."""
    folds = [piece(str(k), str(k)) for k in range(4)]
    with Progress([*folds, piece("x", "x", "end"), piece("end", "end", "end")], 2) as progress:
        assert progress._left() == "time left unknown"
        for each, seconds in zip(folds[:2], (60.0, 20.0), strict=True):
            progress.ended(each, Ended(each.label, 0, "", (), seconds))
        progress.ended(piece("x", "x", "end"), Ended("x", 0, "", (), 4.0))
        assert progress._left() == "about 00:42 left"
        progress.ended(folds[2], Ended("2", 2, "refused", (), 0.0))
        assert progress._left() == "about 00:40 left"  # the last fold, in one of two places
