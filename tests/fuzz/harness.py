"""The watcher: processes that read inputs, stopped and replaced when an input takes too long or too much memory."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import psutil

from tests.fuzz.findings import Finding, of_trace
from tests.fuzz.target import Target, load_target, module_of
from tests.fuzz.worker import BEGAN, COMPUTED, NUMBER, REFUSED, SIZE, TRIED, Work, limit_of, run

SLOWEST = 10.0  # seconds that any input may take, on a machine with a core for each process
_WAITING = 6  # times as many seconds where the process does not compute: others may have the cores
_LOOK = 0.01  # seconds between two looks at a process
_TO_LEAVE_A_TRACE = 0.5  # seconds
_TO_START = 120.0  # seconds, before the first input


@dataclass
class Result:
    """What was tried of one target.

    Attributes:
        target: its name.
        tried, refused: inputs, and those among them that ended in a UserError.
        seconds: taken.
        findings: one of each kind and place, with its bytes.
        repeated: how many inputs ended in a finding.
    """

    target: str
    tried: int = 0
    refused: int = 0
    seconds: float = 0.0
    findings: dict[tuple[str, str], tuple[Finding, bytes]] = field(default_factory=dict)
    repeated: int = 0

    def add(self, finding: Finding, data: bytes) -> None:
        """Count a finding; of several of one key the smallest input is kept."""
        self.repeated += 1
        known = self.findings.get(finding.key)
        if known is None or len(data) < len(known[1]):
            self.findings[finding.key] = (finding, data)

    def describe(self) -> str:
        """One line for people."""
        rate = self.tried / max(self.seconds, 1e-9)
        return (
            f"{self.target}: {self.tried} inputs in {self.seconds:.0f} s ({rate:.0f} per second), {self.refused} of "
            f"them refused in one sentence; {len(self.findings)} findings ({self.repeated} inputs)"
        )


def fuzz(
    name: str,
    *,
    seconds: float = 1e9,
    inputs: int = 1 << 62,
    seed: int = 0,
    processes: int = 1,
    slowest: float = SLOWEST,
    with_corpus: bool = True,
) -> Result:
    """Read damaged files with one target.

    Args:
        name: of the target.
        seconds: after which no input begins.
        inputs: the largest number of inputs.
        seed: of the inputs: input n of a seed is always the same, if the valid files are.
        processes: that read at the same time.
        slowest: seconds of computing that an input may take, or a sixth of the seconds that it may wait.
        with_corpus: whether inputs are made from the findings of before as well.
    """
    target = load_target(name)
    with tempfile.TemporaryDirectory(prefix="fuzz_", dir=_memory_disk()) as scratch:
        valid = seed_files(target, Path(scratch) / "valid") + (target.corpus() if with_corpus else [])
        works = [
            Work(name, tuple(valid), True, seed, index, processes, inputs, Path(scratch) / str(index))
            for index in range(processes)
        ]
        return _watch(target, works, seconds, slowest)


def replay(name: str, files: Sequence[Path], *, slowest: float = SLOWEST) -> Result:
    """Read files as they are with one target, each once."""
    with tempfile.TemporaryDirectory(prefix="fuzz_", dir=_memory_disk()) as scratch:
        work = Work(name, tuple(path.resolve() for path in files), False, 0, 0, 1, len(files), Path(scratch) / "0")
        return _watch(load_target(name), [work], 1e9, slowest)


def seed_files(target: Target, folder: Path) -> list[Path]:
    """The valid files of a target, written to a new folder."""
    folder.mkdir()
    valid = target.seeds(folder)
    if not valid:
        raise ValueError(f"{target.name}: seeds() wrote no file")
    return list(valid)


def _watch(target: Target, works: Sequence[Work], seconds: float, slowest: float) -> Result:
    for work in works:
        work.folder.mkdir()
        target.prepare(work.folder)
    context, began, result = _context(target.name), time.monotonic(), Result(target.name)
    watched = [_Watched(context, work, target.file_name, slowest) for work in works]
    try:
        while any(one.is_running for one in watched) and time.monotonic() - began < seconds:
            time.sleep(_LOOK)
            for one in watched:
                one.look(result)
    finally:
        for one in watched:
            one.stop(result)
    result.seconds = time.monotonic() - began
    return result


def keep(result: Result, folder: Path) -> list[Path]:
    """Write the findings to a folder, each with what is known of it beside; the paths of the inputs."""
    kept = []
    for finding, data in result.findings.values():
        path = folder / result.target / f"{finding.file_stem}{Path(load_target(result.target).file_name).suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.with_name(f"{path.name}.txt").write_text(f"input {finding.number}\n{finding.told}", encoding="utf-8")
        kept.append(path)
    return kept


class _Watched:
    """One process and what it has been given to do; a new process goes on where one ended too early."""

    def __init__(self, context: ForkServerContext, work: Work, file_name: str, slowest: float) -> None:
        self.context, self.work, self.file_name, self.slowest = context, work, file_name, slowest
        self.is_running, self.last_number = True, -1
        self._start(work.first)

    def look(self, result: Result) -> None:
        """Take its findings, and see whether what it reads has taken too long or too much, or has ended it."""
        if not self.is_running:
            return
        self._take_findings(result)
        began, size = self.shown[BEGAN], int(self.shown[SIZE])
        ended = not self.process.is_alive()
        if ended and self.process.exitcode == 0:
            self._take_findings(result)
            self._count(result)
            self.is_running = False
        elif ended:
            self._end(result, *self._death(size))
        elif began and self._hangs(time.monotonic() - began):
            self._end(result, "hang", f"over {self.slowest:.0f} s")
        elif began and (grown := self._grown()) > limit_of(size):
            self._end(result, "memory", f"{grown >> 20} MiB for a file of {size} bytes")
        elif not began and not self.shown[TRIED] and time.monotonic() - self.started > _TO_START:
            raise RuntimeError(f"{self.work.target}: the process read nothing in {_TO_START:.0f} s; see its output")

    def stop(self, result: Result) -> None:
        """End it, and count what it has done."""
        if self.is_running:
            self._take_findings(result)
            self._kill()
            self._count(result)
            self.is_running = False

    def _start(self, first: int) -> None:
        mine, theirs = self.context.Pipe(duplex=False)
        self.shown = self.context.Array("d", 6, lock=False)
        work = Work(**{**vars(self.work), "first": first})
        (work.folder / "trace").write_text("")
        self.findings = mine
        self.process = self.context.Process(target=run, args=(work, self.shown, theirs), daemon=True)
        self.process.start()
        theirs.close()
        self.started, self.before = time.monotonic(), 0

    def _grown(self) -> int:
        """The bytes that it takes more than it took between two inputs."""
        try:
            now = psutil.Process(self.process.pid).memory_info().rss
        except psutil.NoSuchProcess:
            return 0
        number = int(self.shown[NUMBER])
        if number != self.last_number:
            self.last_number = number
            self.before = min(self.before, now) if self.before else now
        return now - self.before

    def _hangs(self, seconds: float) -> bool:
        """Whether an input that began so long ago takes too long."""
        if seconds < self.slowest:
            return False
        try:
            times = psutil.Process(self.process.pid).cpu_times()
        except psutil.NoSuchProcess:
            return False
        computed = times.user + times.system - self.shown[COMPUTED]
        return computed > 0.9 * self.slowest or seconds > _WAITING * self.slowest

    def _death(self, size: int) -> tuple[str, str]:
        code = self.process.exitcode or 0
        if code == -signal.SIGUSR2:
            return "memory", f"more than {limit_of(size) >> 20} MiB for a file of {size} bytes, given back at once"
        said = (self.work.folder / "said").read_text(errors="replace")[-2000:]
        if not self.shown[BEGAN]:
            raise RuntimeError(f"{self.work.target}: the process of the harness failed ({code}): {said}")
        return "crash", f"ended by {signal.Signals(-code).name if code < 0 else f'exit code {code}'}; {said}"

    def _end(self, result: Result, kind: str, told: str) -> None:
        """Note the input that the process is at as a finding, and go on after it with another process."""
        number = int(self.shown[NUMBER])
        if kind in ("hang", "memory") and self.process.is_alive():
            os.kill(self.process.pid or 0, signal.SIGUSR1)  # writes the trace
            self.process.join(_TO_LEAVE_A_TRACE)
        self._kill()
        self._take_findings(result)
        data = (self.work.folder / self.file_name).read_bytes()
        trace = (self.work.folder / "trace").read_text(errors="replace")
        result.add(of_trace(kind, trace, number, told), data)
        self._count(result)
        self._start(number + self.work.step)

    def _kill(self) -> None:
        self.process.kill()
        self.process.join()

    def _take_findings(self, result: Result) -> None:
        try:
            while self.findings.poll():
                result.add(*self.findings.recv())
        except (EOFError, OSError):
            return

    def _count(self, result: Result) -> None:
        result.tried += int(self.shown[TRIED]) + bool(self.shown[BEGAN])
        result.refused += int(self.shown[REFUSED])
        self.shown = [0.0] * 6
        self.findings.close()


def import_once(names: Iterable[str]) -> None:
    """Let all processes come from a server that has imported these targets, and has read nothing.

    To be called before the first of them; without it, the server imports the first target alone.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.fuzz.worker", *map(module_of, names)])
    _contexts.append(context)


_contexts: list[ForkServerContext] = []


def _context(name: str) -> ForkServerContext:
    if not _contexts:
        import_once([name])
    return _contexts[0]


def _memory_disk() -> Any:
    """A folder in memory, where there is one: a file is written for each input."""
    place = Path("/dev/shm")
    return str(place) if os.access(place, os.W_OK) else None
