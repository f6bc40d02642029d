"""The launcher of this machine: pieces in processes of their own, as many at a time as it has places for."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.process import BaseProcess

from utils.command.launch_options import CPU, LaunchOptions
from utils.errors import cannot_write
from utils.files.locks import HeldError, check_free
from utils.launch.piece import HELD, Ended, Piece, Watcher
from utils.launch.process import prepare, signals_blocked, start
from utils.launch.slots import Slot, slots_of, threads_of_each
from utils.machine.interruption import SIGNALS, Terminated, signals_end_the_work

INTERRUPTED = {128 + number: number for number in SIGNALS}
PATIENCE = 15  # seconds that pieces have to end by themselves after a second signal
TRIES = 2  # of a piece whose process is killed
_GLANCE = 0.5  # seconds between two looks at the time
_HELD_FOR = 1.0  # seconds after which a place that another process writes is looked at again
_SERVER_GONE = 255  # what `multiprocessing` says of a process whose end it was not told
KILLED = "was there enough memory?"


@dataclass
class _Running:
    """A piece that runs, and where."""

    piece: Piece
    process: BaseProcess
    slot: Slot
    log_begins: int
    since: float = field(default_factory=time.monotonic)


class LocalLauncher:
    """See `utils.launch.piece.Launcher`.

    Args:
        options: which GPUs, and how many pieces at a time.
        device: `--device` of the runs.

    Raises:
        UserError: as `slots_of` does.
    """

    own_memory = False

    def __init__(self, options: LaunchOptions, *, device: str) -> None:
        self.slots = slots_of(options, device=device)
        self.n_slots = len(self.slots)
        self.device = CPU if self.slots[0].gpu is None else "cuda"
        self.threads = threads_of_each(self.n_slots)
        if self.device == CPU:
            prepare(self.threads)

    def run(self, pieces: Sequence[Piece], watcher: Watcher) -> list[Ended]:
        """Run the pieces in their order, each after those that it needs, and return how each ended.

        A piece is not run if one that it needs failed. One whose process is killed goes on once more from what it has
        saved, and then fails alone. One whose place another process writes waits until that one is done with it.

        Raises:
            Terminated: after a signal. The pieces that run have received it as well, and have saved what they had; a
                second one leaves them 15 seconds.
        """
        launch = _Launch(pieces, self.slots, self.threads, watcher)
        with signals_end_the_work():
            try:
                while launch.waiting or launch.running:
                    launch.refuse()
                    launch.begin()
                    launch.collect()
                    watcher.tick()
            except Terminated as stopped:
                _stop(list(launch.running), stopped.number)
                raise
        return [launch.ended[piece.label] for piece in pieces]


class _Launch:
    """The pieces of one call, and how far they are."""

    def __init__(self, pieces: Sequence[Piece], slots: Sequence[Slot], threads: int | None, watcher: Watcher) -> None:
        unknown = {label for piece in pieces for label in piece.needs} - {piece.label for piece in pieces}
        if unknown:
            raise ValueError(f"got pieces that need {sorted(unknown)}, expected these among the pieces")
        self.waiting = list(pieces)
        self.running: list[_Running] = []
        self.ended: dict[str, Ended] = {}
        self._free = list(slots)
        self._threads = threads
        self._watcher = watcher
        self._tries: dict[str, int] = {}
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
        """Begin the pieces that can begin, as far as there are free places."""
        for piece in list(self.waiting):
            if not self._free:
                return
            if all(label in self.ended for label in piece.needs) and not self._is_held(piece):
                self.waiting.remove(piece)
                try:
                    log_begins = _size_of_log(piece)
                except OSError as error:
                    self._end(piece, Ended(piece.label, 1, str(cannot_write(piece.log, error))))
                    continue
                with signals_blocked():  # a process that was begun is one that is known
                    process = start(piece, self._free[0], self._threads)
                    self.running.append(_Running(piece, process, self._free.pop(0), log_begins))
                self._watcher.started(piece)

    def collect(self) -> None:
        """Wait a moment for processes that end, and take in how they did."""
        if not self.running:  # all that is left waits for other processes
            time.sleep(_GLANCE if self.waiting else 0)
            return
        ready = connection.wait([each.process.sentinel for each in self.running], timeout=_GLANCE)
        for each in [each for each in self.running if each.process.sentinel in ready]:
            each.process.join()
            self.running.remove(each)
            self._free.insert(0, each.slot)
            self._take_in(each)

    def _take_in(self, each: _Running) -> None:
        piece, status = each.piece, each.process.exitcode or 0
        seconds = self._seconds[piece.label] = self._seconds.get(piece.label, 0.0) + time.monotonic() - each.since
        if status < 0 or status == _SERVER_GONE:
            self._tries[piece.label] = self._tries.get(piece.label, 0) + 1
            why = f"its process was killed{_by(status)}; {KILLED}"
            if self._tries[piece.label] < TRIES:
                self.waiting.insert(0, piece)
                self._watcher.put_back(piece, f"{why} It goes on once more from what it has saved")
            else:
                self._end(piece, Ended(piece.label, 1, why, (), seconds))
            return
        lines = _lines_of(piece, each.log_begins)
        if status == HELD:
            self._put_back(piece, lines[-1] if lines else "")
            return
        warnings = tuple(line for line in lines if line.startswith("warning: "))
        self._end(piece, Ended(piece.label, status, lines[-1] if lines else "", warnings, seconds))
        if status in INTERRUPTED:
            raise Terminated(INTERRUPTED[status])

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


def _size_of_log(piece: Piece) -> int:
    """Where the log goes on; its folder is made."""
    piece.log.parent.mkdir(parents=True, exist_ok=True)
    with piece.log.open("ab") as file:
        return file.tell()


def _lines_of(piece: Piece, begin: int) -> list[str]:
    with piece.log.open("rb") as file:
        file.seek(begin)
        return file.read().decode("utf-8", errors="replace").strip().splitlines()


def _by(status: int) -> str:
    return f" by {signal.Signals(-status).name}" if -status in set(signal.Signals) else ""


def _stop(running: Sequence[_Running], number: int) -> None:
    """Pass a signal on to the processes of the pieces, and wait until these have saved what they had."""
    processes = [each.process for each in running]
    try:
        _send(processes, number)
        for process in processes:
            process.join()
    except Terminated as again:
        _send(processes, again.number)
        until = time.monotonic() + PATIENCE
        for process in processes:
            process.join(max(0.0, until - time.monotonic()))
        _send(processes, signal.SIGKILL)


def _send(processes: Sequence[BaseProcess], number: int) -> None:
    for process in processes:
        if process.pid is not None and process.is_alive():
            with contextlib.suppress(ProcessLookupError):  # it has ended
                os.kill(process.pid, number)
