"""Watching the pieces of a launch: by what their jobs write, and by the queue."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from tqdm import tqdm

from utils.errors import UserError
from utils.launch.piece import Ended, Piece, Watcher
from utils.launch.slurm.queue import Queue
from utils.launch.slurm.record import folder_of, read_ended, read_started

_GLANCE = 1.0  # seconds between two looks at what the jobs have written
_ASKED_EVERY = 10.0  # seconds between two looks at the queue, which serves others too
_GONE_FOR = 30.0  # seconds after which a job that left the queue without a result is taken for dead: disks are slow
_REQUEUED = "its job was put back into the queue, and goes on from what it has saved"
_FATES = {
    "CANCELLED": "was cancelled",
    "TIMEOUT": "reached its time limit before it could save what it had (time, signal_delay_s)",
    "OUT_OF_MEMORY": "needed more memory than it had (mem)",
    "NODE_FAIL": "was on a machine that failed",
    "BOOT_FAIL": "was on a machine that failed",
}


class Watch:
    """Tells a watcher how far the pieces are.

    Args:
        pieces: of the launch.
        jobs: {label: job} of those that are in the queue, or were a moment ago.
        queue: that the jobs are in.
        watcher: that is told.
    """

    def __init__(self, pieces: Sequence[Piece], jobs: Mapping[str, str], queue: Queue, watcher: Watcher) -> None:
        self._pieces, self._jobs, self._queue, self._watcher = pieces, jobs, queue, watcher
        self._ended: dict[str, Ended] = {}
        self._began: dict[str, float] = {}
        self._waits: set[str] = set()
        self._gone: dict[str, float] = {}
        self._states: dict[str, str] = dict.fromkeys(jobs.values(), "")
        self._asked = time.monotonic()
        self._answers = True

    def until_all_have_ended(self) -> list[Ended]:
        """Watch, and return how each piece ended."""
        while True:
            for piece in self._pieces:
                if piece.label not in self._ended:
                    self._look_at(piece)
            self._watcher.tick()
            if len(self._ended) == len(self._pieces):
                return [self._ended[piece.label] for piece in self._pieces]
            time.sleep(_GLANCE)
            if time.monotonic() - self._asked > _ASKED_EVERY:
                self._ask()

    def _look_at(self, piece: Piece) -> None:
        result = read_ended(piece)
        if result is None:
            began = read_started(piece)
            if began is not None and began != self._began.get(piece.label):
                if piece.label in self._began:
                    self._put_back(piece)
                self._waits.discard(piece.label)
                self._began[piece.label] = began
                self._watcher.started(piece)
            result = self._lost(piece)
        if result is not None:
            self._ended[piece.label] = result
            self._watcher.ended(piece, result)

    def _put_back(self, piece: Piece) -> None:
        """Tell once that a piece that has begun is, or was, in the queue again."""
        if piece.label not in self._waits:
            self._waits.add(piece.label)
            self._watcher.put_back(piece, _REQUEUED)

    def _lost(self, piece: Piece) -> Ended | None:
        """How a piece ended whose job is gone without a word."""
        job = self._jobs.get(piece.label)
        if job in self._states:
            self._gone.pop(piece.label, None)
            return None
        since = self._gone.setdefault(piece.label, time.monotonic())
        if time.monotonic() - since < _GONE_FOR:
            return None
        fate = "" if job is None else self._queue.fate(job)
        said = _FATES.get(fate.split()[0] if fate else "", f"ended without a result{f' ({fate})' if fate else ''}")
        return Ended(
            piece.label, 1, f"its job{f' {job}' if job else ''} {said}; logs of jobs are in {folder_of(piece)}"
        )

    def _ask(self) -> None:
        """Look at the queue; while it does not answer, jobs are taken to be in it."""
        self._asked = time.monotonic()
        try:
            states = self._queue.states()
        except UserError as error:
            if self._answers:
                tqdm.write(f"warning: {error}; waiting")
            self._answers = False
            return
        self._answers = True
        for piece in self._pieces:
            before, now = (each.get(self._jobs.get(piece.label, "")) for each in (self._states, states))
            if piece.label not in self._ended and before != now == "PENDING" and piece.label in self._began:
                self._put_back(piece)
        self._states = states
