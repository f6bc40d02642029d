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
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

INTERRUPTED = 130
PATIENCE = 15  # seconds that interrupted jobs have to end by themselves
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
        KeyboardInterrupt: after Ctrl-C, which the running jobs receive as well; the processes have ended then.
    """
    waiting, ended = list(jobs), dict[str, Ended]()
    running: dict[Future[Ended], Job] = {}
    spawn = multiprocessing.get_context("spawn")  # CUDA cannot be used in a forked process
    with ProcessPoolExecutor(n_processes, mp_context=spawn) as pool:

        def finish(result: Ended) -> None:
            ended[result.label] = result
            report(result)
            if result.status == INTERRUPTED:
                raise KeyboardInterrupt

        try:
            while waiting or running:
                for job in [job for job in waiting if not job.needs or job.needs in ended]:
                    if job.needs and ended[job.needs].status:
                        waiting.remove(job)
                        finish(Ended(job.label, 1, f"not run, because of: {job.needs}"))
                    elif len(running) < n_processes:
                        waiting.remove(job)
                        try:
                            with ignoring_interrupts():  # a new process inherits this until its job begins
                                running[pool.submit(run_job, job)] = job
                        except BrokenProcessPool:  # it takes no more jobs after one of its processes was killed
                            finish(Ended(job.label, 1, NOT_BEGUN))
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    finish(_result(future, running.pop(future)))
        except KeyboardInterrupt:
            if wait(running, timeout=PATIENCE).not_done:
                for process in multiprocessing.active_children():
                    process.terminate()
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
    with ignoring_interrupts(), redirected(job.log):
        module = importlib.import_module(job.command)
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            status = module.main(module.get_args_parser().parse_args(job.arguments))
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


@contextlib.contextmanager
def ignoring_interrupts() -> Iterator[None]:
    """Ctrl-C has no effect on this process; one that is begun meanwhile goes without it as well."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def redirected(log: Path) -> Iterator[None]:
    """Standard output and error of this process, libraries in C included, in a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    before = os.dup(1), os.dup(2)
    with log.open("a", encoding="utf-8", buffering=1) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            with contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
                yield
        finally:
            for saved, number in zip(before, (1, 2), strict=True):
                os.dup2(saved, number)
                os.close(saved)


def _result(future: Future[Ended], job: Job) -> Ended:
    try:
        return future.result()
    except BrokenProcessPool:
        return Ended(job.label, 1, KILLED)
