"""The order of pieces, whoever runs them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from unittest.mock import ANY

import pytest

from tests.utils.launch.work import Told, piece, say
from utils.launch.piece import HELD, Ended, Piece
from utils.launch.schedule import Exit, run_in_order


class Replay:
    """Workers whose pieces end as they are told to, one after the other."""

    def __init__(self, room: int, *exits: tuple[str, int | None, str]) -> None:
        self.room, self.exits = room, list(exits)
        self.running: dict[str, Piece] = {}
        self.most = 0
        self.stopped: list[int] = []

    def has_room(self) -> bool:
        return len(self.running) < self.room

    def start(self, piece: Piece) -> None:
        self.running[piece.label] = piece
        self.most = max(self.most, len(self.running))

    def wait(self, seconds: float) -> list[Exit]:
        label, status, why = self.exits.pop(0)
        return [Exit(self.running.pop(label), status, why)]

    def stop(self, number: int) -> None:
        self.stopped.append(number)


def run(pieces: list[Piece], workers: Replay, tries: int = 2) -> tuple[list[Ended], Told]:
    told = Told()
    return run_in_order(pieces, workers, told, tries=tries), told


@pytest.fixture
def pieces(tmp_path: Path) -> Callable[..., list[Piece]]:
    return lambda *labels: [piece(tmp_path, label, say) for label in labels]


def test_no_more_at_a_time_than_there_is_room_for(pieces: Callable[..., list[Piece]]):
    workers = Replay(2, ("b", 0, ""), ("a", 0, ""), ("c", 0, ""))
    ended, told = run(pieces("a", "b", "c"), workers)
    assert [each.status for each in ended] == [0, 0, 0]
    assert told.begun == ["a", "b", "c"]
    assert [each.label for each in told.results] == ["b", "a", "c"]
    assert workers.most == 2


def test_as_many_tries_as_are_given(pieces: Callable[..., list[Piece]]):
    exits = [("a", None, "its node died."), ("a", None, "its node died."), ("a", 0, "")]
    ended, told = run(pieces("a"), Replay(1, *exits), tries=3)
    assert ended[0].status == 0
    assert told.begun == ["a"] * 3
    assert told.waits == [
        ("a", "its node died. It goes on from what it has saved"),
        ("a", "its node died. It goes on once more from what it has saved"),
    ]
    assert run(pieces("a"), Replay(1, *exits[:2]))[0] == [Ended("a", 1, "its node died.", (), ANY)]
    assert run(pieces("a"), Replay(1, exits[0]), tries=1)[0][0].status == 1


def test_what_is_not_in_the_log_is_told_by_the_workers(tmp_path: Path, pieces: Callable[..., list[Piece]]):
    (one,) = pieces("a")
    workers = Replay(1, ("a", 1, "ModuleNotFoundError: No module named 'utils'"))
    one.log.write_text("of an earlier call\n")
    assert run([one], workers)[0] == [Ended("a", 1, "ModuleNotFoundError: No module named 'utils'", (), ANY)]


def test_a_place_that_was_taken_first_is_tried_again(pieces: Callable[..., list[Piece]]):
    ended, told = run(pieces("a", "b"), Replay(1, ("a", HELD, "taken"), ("b", 0, ""), ("a", 0, "")))
    assert [each.status for each in ended] == [0, 0]
    assert told.begun == ["a", "b", "a"]
    assert told.waits == [("a", "waiting: taken")]


def test_a_piece_that_a_signal_ended_stops_the_others(pieces: Callable[..., list[Piece]]):
    workers = Replay(2, ("a", 143, "stopped by SIGTERM"))
    with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
        run(pieces("a", "b", "c"), workers)
    assert workers.stopped == [15]
    assert list(workers.running) == ["b"]
