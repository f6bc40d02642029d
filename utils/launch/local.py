"""The launcher of this machine: pieces in processes of their own, as many at a time as it has places for."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.process import BaseProcess

from utils.command.launch_options import CPU, LaunchOptions
from utils.launch.piece import Ended, Piece, Watcher
from utils.launch.process import prepare, signals_blocked, start
from utils.launch.schedule import Exit, run_in_order
from utils.launch.slots import Slot, slots_of, threads_of_each
from utils.machine.interruption import Terminated

PATIENCE = 15  # seconds that pieces have to end by themselves after a second signal
TRIES = 2  # of a piece whose process is killed
_SERVER_GONE = 255  # what `multiprocessing` says of a process whose end it was not told
MEMORY = "was there enough memory?"


class LocalLauncher:
    """See `utils.launch.piece.Launcher`.

    Args:
        options: which GPUs, and how many pieces at a time.
        device: `--device` of the runs.

    Raises:
        UserError: as `slots_of` does.
    """

    cpus = None
    own_memory = False

    def __init__(self, options: LaunchOptions, *, device: str) -> None:
        self.slots = slots_of(options, device=device)
        self.n_slots = len(self.slots)
        self.device = CPU if self.slots[0].gpu is None else "cuda"
        self.threads = threads_of_each(self.n_slots)
        if self.device == CPU:
            prepare(self.threads)

    def run(self, pieces: Sequence[Piece], watcher: Watcher) -> list[Ended]:
        """Run the pieces as `run_in_order` does; one whose process is killed is tried twice.

        Raises:
            Terminated: after a signal. The pieces that run have received it as well, and have saved what they had; a
                second one leaves them 15 seconds.
        """
        return run_in_order(pieces, _Processes(self.slots, self.threads), watcher, tries=TRIES)


@dataclass(frozen=True)
class _Running:
    """A piece that runs, and where."""

    piece: Piece
    process: BaseProcess
    slot: Slot


class _Processes:
    """See `utils.launch.schedule.Workers`: a process for each piece, in one of these places."""

    def __init__(self, slots: Sequence[Slot], threads: int | None) -> None:
        self._free, self._threads = list(slots), threads
        self._running: list[_Running] = []

    def has_room(self) -> bool:
        return bool(self._free)

    def start(self, piece: Piece) -> None:
        with signals_blocked():  # a process that was begun is one that is known
            process = start(piece, self._free[0], self._threads)
            self._running.append(_Running(piece, process, self._free.pop(0)))

    def wait(self, seconds: float) -> list[Exit]:
        ready = connection.wait([each.process.sentinel for each in self._running], timeout=seconds)
        ended = [each for each in self._running if each.process.sentinel in ready]
        for each in ended:
            each.process.join()
            self._running.remove(each)
            self._free.insert(0, each.slot)
        return [_exit_of(each) for each in ended]

    def stop(self, number: int) -> None:
        processes = [each.process for each in self._running]
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


def _exit_of(each: _Running) -> Exit:
    status = each.process.exitcode or 0
    if status < 0 or status == _SERVER_GONE:
        return Exit(each.piece, None, f"its process was killed{_by(status)}; {MEMORY}")
    return Exit(each.piece, status)


def _by(status: int) -> str:
    return f" by {signal.Signals(-status).name}" if -status in set(signal.Signals) else ""


def _send(processes: Sequence[BaseProcess], number: int) -> None:
    for process in processes:
        if process.pid is not None and process.is_alive():
            with contextlib.suppress(ProcessLookupError):  # it has ended
                os.kill(process.pid, number)
