"""Many calls of this repository's commands in a few processes, each with a log of its own.

A process imports torch once and then works through its share: a call that finds its results finished takes a fraction
of a second instead of the seconds that a process needs to begin.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tqdm import tqdm

from utils.errors import cannot_write
from utils.machine.interruption import SIGNALS, Terminated, signals_end_the_work
from utils.machine.streams import open_log

INTERRUPTED = {128 + number: number for number in SIGNALS}
PATIENCE = 15  # seconds that jobs have to end by themselves after a second signal
KILLED = "its process was killed; was there enough memory?"
NOT_BEGUN = "not run, because the process of another part was killed; the same command goes on with it"


@dataclass(frozen=True)
class Job:
    """A call of a command.

    Attributes:
        label: what it is, for a reader.
        command: the module with `get_args_parser` and `main`: `main` or `run_clustering`.
        arguments: of the command line.
        log: where its output goes.
        needs: the label of a job that has to end well before, or empty.
    """

    label: str
    command: str
    arguments: tuple[str, ...]
    log: Path
    needs: str = ""


@dataclass(frozen=True)
class Ended:
    """How a job ended.

    Attributes:
        label: of the job.
        status: 0 is well.
        said: the last line of its log.
        warnings: the lines of its log that begin with `warning: `.
        seconds: what it took.
    """

    label: str
    status: int
    said: str
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0


def run_jobs(jobs: Sequence[Job], n_processes: int, report: Callable[[Ended], None]) -> list[Ended]:
    """Run the jobs in order, `n_processes` at a time, and report each as it ends.

    A job waits for the one that it needs, and is not run if that one failed. The jobs of a process that was killed
    count as failed.

    Raises:
        Terminated: after a signal. The running jobs have received it as well, and have saved what they had; a second
            one leaves them 15 seconds.
    """
    waiting, ended = list(jobs), dict[str, Ended]()
    running: dict[Future[Ended], Job] = {}
    spawn = multiprocessing.get_context("spawn")  # CUDA cannot be used in a forked process
    with signals_end_the_work(), ProcessPoolExecutor(n_processes, mp_context=spawn, initializer=_begin) as pool:

        def finish(result: Ended) -> None:
            ended[result.label] = result
            report(result)
            if result.status in INTERRUPTED:
                raise Terminated(INTERRUPTED[result.status])

        try:
            while waiting or running:
                for job in [job for job in waiting if not job.needs or job.needs in ended]:
                    if job.needs and ended[job.needs].status:
                        waiting.remove(job)
                        finish(Ended(job.label, 1, f"not run, because of: {job.needs}"))
                    elif len(running) < n_processes:
                        waiting.remove(job)
                        try:
                            with signals_blocked():  # a new process inherits this until it can remember them
                                running[pool.submit(run_job, job)] = job
                        except BrokenProcessPool:  # it takes no more jobs after one of its processes was killed
                            finish(Ended(job.label, 1, NOT_BEGUN))
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    finish(_result(future, running.pop(future)))
        except Terminated as stopped:
            _stop(running, stopped.number)
            raise
    return [ended[job.label] for job in jobs]


def run_with_progress(jobs: Sequence[Job], n_processes: int) -> list[Ended]:
    """Run the jobs with a progress bar, a line for each as it ends, and each warning once."""
    warned: set[str] = set()
    number = itertools.count(1)
    with tqdm(total=len(jobs), disable=None, unit="part") as progress:

        def report(job: Ended) -> None:
            state = "done" if job.status == 0 else "FAILED"
            detail = f"{job.seconds:.0f} s" if job.status == 0 else job.said
            new = [warning for warning in job.warnings if warning not in warned]
            warned.update(new)
            count = f"{next(number)} of {len(jobs)}"
            tqdm.write("\n".join([f"{count}  {state}: {job.label}: {detail}", *new]), file=sys.stdout)
            sys.stdout.flush()
            progress.update()

        return run_jobs(jobs, n_processes, report)


def run_job(job: Job) -> Ended:
    """Run one job in this process, with everything that it writes to the terminal at the end of its log."""
    started = time.monotonic()
    before = job.log.stat().st_size if job.log.exists() else 0
    with signals_remembered(), redirected(job.log):
        module = importlib.import_module(job.command)
        try:
            with signals_end_the_work():
                if _remembered:
                    raise Terminated(_remembered[0])
                status = module.main(module.get_args_parser().parse_args(job.arguments))
        except Terminated as stopped:  # before the command could take it in
            status = 128 + stopped.number
        except SystemExit as stopped:  # the parser's refusal of an option
            status = stopped.code if isinstance(stopped.code, int) else 1
        except Exception:  # noqa: BLE001 - a bug in one run must not lose the others; its log has the traceback
            traceback.print_exc()
            status = 1
    with job.log.open("rb") as file:
        file.seek(before)
        lines = file.read().decode("utf-8", errors="replace").strip().splitlines()
    warnings = tuple(line for line in lines if line.startswith("warning: "))
    return Ended(job.label, status, lines[-1] if lines else "", warnings, time.monotonic() - started)


_remembered: list[int] = []  # signals that came between two jobs of this process: no further one begins


def _begin() -> None:
    """From here on, a process of the queue remembers signals while it has no job."""
    _remember_signals()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


@contextlib.contextmanager
def signals_remembered() -> Iterator[None]:
    """In this block a signal has no effect but that no job begins after it."""
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


def _stop(running: Mapping[Future[Ended], Job], number: int) -> None:
    """Pass a signal on to the processes of the running jobs, and wait until these have saved what they had."""
    processes = multiprocessing.active_children()
    try:
        _send(processes, number)
        wait(running)
    except Terminated as again:
        _send(processes, again.number)
        if wait(running, timeout=PATIENCE).not_done:
            _send(processes, signal.SIGKILL)


def _send(processes: Sequence[BaseProcess], number: int) -> None:
    for process in processes:
        if process.pid is not None:
            with contextlib.suppress(ProcessLookupError):  # it has ended
                os.kill(process.pid, number)


def _result(future: Future[Ended], job: Job) -> Ended:
    try:
        return future.result()
    except BrokenProcessPool:
        return Ended(job.label, 1, KILLED)
    except OSError as error:
        return Ended(job.label, 1, str(cannot_write(job.log, error)))
