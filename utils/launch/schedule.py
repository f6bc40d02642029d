"""Which piece is next: each after those that it needs, again where its process was killed, later where others write."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from utils.errors import cannot_write
from utils.files.locks import HeldError, check_free
from utils.launch.piece import HELD, Ended, Piece, Watcher
from utils.launch.piece_log import as_its_log_says, end_of_log
from utils.machine.interruption import SIGNALS, Terminated, signals_end_the_work

INTERRUPTED = {128 + number: number for number in SIGNALS}
GLANCE = 0.5  # seconds between two looks at the time
_HELD_FOR = 1.0  # seconds after which a place that another process writes is looked at again


@dataclass(frozen=True)
class Exit:
    """How the process of a piece ended.

    Attributes:
        piece: of it.
        status: its exit code; None where it was killed.
        why: in words, where the log of the piece does not say it.
    """

    piece: Piece
    status: int | None
    why: str = ""


class Workers(Protocol):
    """Where pieces run, several at a time."""

    def has_room(self) -> bool:
        """Whether one more piece can begin."""

    def start(self, piece: Piece) -> None:
        """Begin a piece."""

    def wait(self, seconds: float) -> list[Exit]:
        """Wait until a piece ends, but no longer than that; those that have ended, each of which is told once."""

    def stop(self, number: int) -> None:
        """Pass a signal on to the pieces that run, and wait until they have saved what they had."""


def run_in_order(pieces: Sequence[Piece], workers: Workers, watcher: Watcher, *, tries: int) -> list[Ended]:
    """Run the pieces in their order, each after those that it needs, and return how each ended.

    A piece is not run if one that it needs failed. One whose process is killed goes on from what it has saved, and
    fails alone after so many tries. One whose place another process writes waits until that one is done with it.

    Args:
        pieces: those that others need are among them.
        workers: where they run.
        watcher: is told what happens.
        tries: of a piece whose process is killed.

    Raises:
        Terminated: after a signal, which the pieces that run have received as well.
    """
    schedule = _Schedule(pieces, workers, watcher, tries)
    with signals_end_the_work():
        try:
            while schedule.waiting or schedule.running:
                schedule.refuse()
                schedule.begin()
                schedule.collect()
                watcher.tick()
        except Terminated as stopped:
            workers.stop(stopped.number)
            raise
    return [schedule.ended[piece.label] for piece in pieces]


@dataclass
class _Running:
    """Since when a piece runs, and where its log goes on."""

    log_begins: int
    since: float = field(default_factory=time.monotonic)


class _Schedule:
    """The pieces of one call, and how far they are."""

    def __init__(self, pieces: Sequence[Piece], workers: Workers, watcher: Watcher, tries: int) -> None:
        unknown = {label for piece in pieces for label in piece.needs} - {piece.label for piece in pieces}
        if unknown:
            raise ValueError(f"got pieces that need {sorted(unknown)}, expected these among the pieces")
        self.waiting = list(pieces)
        self.running: dict[str, _Running] = {}
        self.ended: dict[str, Ended] = {}
        self._workers, self._watcher = workers, watcher
        self._tries = {piece.label: tries for piece in pieces}  # that are left
        self._seconds: dict[str, float] = {}  # of the tries before
        self._not_before: dict[str, float] = {}  # of pieces whose place was held

    def refuse(self) -> None:
        """End the pieces that need one which failed, and those that need these."""
        while lost := [(piece, label) for piece in self.waiting for label in piece.needs if self._failed(label)]:
            for piece, label in lost:
                if piece in self.waiting:
                    self.waiting.remove(piece)
                    self._end(piece, Ended(piece.label, 1, f"not run, because of: {label}"))

    def begin(self) -> None:
        """Begin the pieces that can begin, as far as there is room."""
        for piece in list(self.waiting):
            if not self._workers.has_room():
                return
            if all(label in self.ended for label in piece.needs) and not self._is_held(piece):
                self.waiting.remove(piece)
                try:
                    log_begins = end_of_log(piece)
                except OSError as error:
                    self._end(piece, Ended(piece.label, 1, str(cannot_write(piece.log, error))))
                    continue
                self._workers.start(piece)
                self.running[piece.label] = _Running(log_begins)
                self._watcher.started(piece)

    def collect(self) -> None:
        """Wait a moment for pieces that end, and take in how they did."""
        if not self.running:  # all that is left waits for other processes
            time.sleep(GLANCE if self.waiting else 0)
            return
        for each in self._workers.wait(GLANCE):
            self._take_in(each)

    def _take_in(self, each: Exit) -> None:
        piece, begun = each.piece, self.running.pop(each.piece.label)
        seconds = self._seconds[piece.label] = self._seconds.get(piece.label, 0.0) + time.monotonic() - begun.since
        if each.status is None:
            self._tries[piece.label] -= 1
            if self._tries[piece.label] > 0:
                self.waiting.insert(0, piece)
                again = "once more " if self._tries[piece.label] == 1 else ""
                self._watcher.put_back(piece, f"{each.why} It goes on {again}from what it has saved")
            else:
                self._end(piece, Ended(piece.label, 1, each.why, (), seconds))
            return
        result = as_its_log_says(piece, each.status, begun.log_begins, seconds, each.why)
        if each.status == HELD:
            self._put_back(piece, result.said)
            return
        self._end(piece, result)
        if each.status in INTERRUPTED:
            raise Terminated(INTERRUPTED[each.status])

    def _failed(self, label: str) -> bool:
        return label in self.ended and self.ended[label].status != 0

    def _end(self, piece: Piece, result: Ended) -> None:
        self.ended[piece.label] = result
        self._watcher.ended(piece, result)

    def _is_held(self, piece: Piece) -> bool:
        """Whether another process writes the place of a piece, as far as that can be seen from here."""
        if time.monotonic() < self._not_before.get(piece.label, 0.0):
            return True
        try:
            check_free(piece.places)
        except HeldError as error:
            self.waiting.remove(piece)
            self._put_back(piece, str(error))
            return True
        return False

    def _put_back(self, piece: Piece, why: str) -> None:
        """Let a piece wait for another process, behind those that need not."""
        if piece.label not in self._not_before:
            self._watcher.put_back(piece, f"waiting: {why}")
        self._not_before[piece.label] = time.monotonic() + _HELD_FOR
        self.waiting.append(piece)
