"""The process of a piece: with its own GPU, threads and log, and ended with its launcher.

On the CPU it is forked from a server that has imported torch and the parts of a run, and has computed nothing: it
begins in a tenth of a second, where a new process imports for 5 to 7 CPU seconds. The server has never begun a parallel
region of OpenMP, so that its forks compute as new processes do. On a GPU the process is a new one: CUDA cannot be used
in a fork of a process that has asked it for anything, and libraries may ask while they are imported.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from multiprocessing import connection, forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, cast

from utils.files.locks import HeldError
from utils.launch.piece import HELD, Piece
from utils.launch.slots import VISIBLE, Slot
from utils.machine.cpu_threads import THREADS
from utils.machine.interruption import SIGNALS, Terminated
from utils.machine.process import exit_code
from utils.machine.streams import open_log

ROOT = Path(__file__).parents[2]
GOES_ON = "the same command goes on from what is saved"
# What pieces import: with these a fold, its tables and its report are begun at once. The last one is imported by the
# optimizers of torch when they are made.
PRELOADED = (
    *("main", "run_clustering", "utils.anchors.kmeans", "utils.pipeline.fit_anchors", "utils.pipeline.inputs"),
    *("utils.pipeline.run_folds", "utils.pipeline.models", "utils.pipeline.train_fold", "utils.pipeline.record"),
    *("utils.figures.run_figures", "utils.report.run_page", "models.mico", "torch._dynamo"),
)


def prepare(threads: int | None) -> None:
    """Begin to import what pieces on the CPU need, beside whatever this process does next.

    Args:
        threads: of each piece; None: as the environment says.
    """
    multiprocessing.set_forkserver_preload(list(PRELOADED))
    # The server inherits that signals wait: those to the group of this process are for the pieces.
    with signals_blocked(), environment(**_variables(Slot(), threads)):
        forkserver.ensure_running()


def start(piece: Piece, slot: Slot, threads: int | None) -> BaseProcess:
    """Begin the process of a piece; its exit code is that of the piece, or less than 0 where a signal killed it."""
    if slot.gpu is None:
        prepare(threads)
    context = multiprocessing.get_context("forkserver" if slot.gpu is None else "spawn")
    process = context.Process(target=live, args=(piece, threads), daemon=True)  # type: ignore[attr-defined]
    with signals_blocked(), environment(**_variables(slot, threads)):  # signals until it can remember them
        process.start()
    return cast("BaseProcess", process)


def _variables(slot: Slot, threads: int | None) -> dict[str, str]:
    """What the environment of a piece says, from the first instruction of its process or of its server."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    variables = {"PYTHONPATH": path}
    if threads is not None:
        variables[THREADS] = str(threads)
    if slot.gpu is not None:
        variables[VISIBLE] = slot.gpu
    return variables


def live(piece: Piece, threads: int | None) -> None:
    """The whole life of the process of a piece."""
    _remember_signals()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    threading.Thread(target=_end_with_the_launcher, name="launcher-watch", daemon=True).start()
    if threads is not None and os.environ.get(THREADS) != str(threads):  # the server was begun for another number
        import torch

        torch.set_num_threads(threads)
    sys.exit(run_piece(piece))


def run_piece(piece: Piece) -> int:
    """Do the work of a piece in this process, with everything that it writes at the end of its log; its exit code."""
    with signals_remembered(), redirected(piece.log):
        from utils.command.console import log_to_terminal
        from utils.machine.memory import keep_freed_memory

        log_to_terminal()
        keep_freed_memory()
        held = False

        def work() -> None:
            nonlocal held
            if _remembered:
                raise Terminated(_remembered[0])
            try:
                piece.work()
            except HeldError:
                held = True
                raise

        try:  # a signal raises in the work alone: one that comes behind it would break off what is said of the first
            status = exit_code(work, piece.prog, goes_on=GOES_ON)
        except Exception:  # noqa: BLE001 - a bug in one piece must not lose the others; its log has the traceback
            traceback.print_exc()
            status = 1
    return HELD if held else status


def _end_with_the_launcher() -> None:
    """Stop as at SIGTERM when the launcher is gone, so that nothing goes on that nobody sees."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)


_remembered: list[int] = []  # signals that came before the piece could answer: its work does not begin


@contextlib.contextmanager
def signals_remembered() -> Iterator[None]:
    """In this block a signal has no effect but that no work begins after it."""
    replaced = _remember_signals()
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)


def _remember_signals() -> dict[int, Any]:
    """Remember the signals that are not ignored; returns their handlers of before."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    replaced: dict[int, Any] = {n: handler for n, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    for number in replaced:
        signal.signal(number, lambda number, frame: _remembered.append(number))
    return replaced


@contextlib.contextmanager
def signals_blocked() -> Iterator[None]:
    """Signals wait until the end of this block, and in a process that is begun in it until it takes them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def environment(**values: str) -> Iterator[None]:
    """These variables are set in the block, for processes that are begun in it."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def redirected(log: Path) -> Iterator[None]:
    """Standard output and error of this process, libraries in C included, in a file; a full disk costs its lines."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    before = os.dup(1), os.dup(2)
    with open_log(log) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            with contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
                yield
        finally:
            for saved, number in zip(before, (1, 2), strict=True):
                os.dup2(saved, number)
                os.close(saved)
