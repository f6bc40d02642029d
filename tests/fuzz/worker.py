"""The process in which files are read: whatever a file does, it does to this process."""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
import sys
import time
import warnings
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.fuzz.findings import of_exception
from tests.fuzz.mutations import make_input
from tests.fuzz.target import load_target
from utils.errors import UserError

LEAST_LIMIT = 200 << 20  # bytes of memory that any input may take
TIMES_THE_FILE = 10
ADDRESSES = (
    16 << 30
)  # bytes of addresses: beyond this nothing is given, so that a lie about a size cannot stop the machine

# What the watcher sees of a process: numbers in shared memory.
NUMBER, BEGAN, COMPUTED, SIZE, TRIED, REFUSED = range(6)


@dataclass(frozen=True)
class Work:
    """What a process is to do: the inputs `first`, `first + step`, ... of a seed, below `end`.

    Attributes:
        target: its name.
        valid: the valid files that inputs are made from.
        damaged: whether they are damaged; otherwise they are the inputs, and `end` is their number.
        seed: of the inputs.
        first, step, end: which numbers.
        folder: scratch; the input is there while it is read, and what the process and `faulthandler` say.
    """

    target: str
    valid: tuple[Path, ...]
    damaged: bool
    seed: int
    first: int
    step: int
    end: int
    folder: Path


def limit_of(size: int) -> int:
    """The bytes of memory that reading a file of this size may take."""
    return max(LEAST_LIMIT, TIMES_THE_FILE * size)


def run(work: Work, shown: Any, findings: Connection) -> None:
    """Read input after input; `shown` is what the watcher sees, `findings` takes what was found."""
    trace = _prepare(work.folder)
    target = load_target(work.target)
    valid = [path.read_bytes() for path in work.valid]
    path = work.folder / target.file_name
    for number in range(work.first, work.end, work.step):
        data = make_input(valid, work.seed, number) if work.damaged else valid[number]
        path.write_bytes(data)
        shown[NUMBER], shown[SIZE] = number, len(data)
        before = _begin_to_measure()
        shown[COMPUTED], shown[BEGAN] = time.process_time(), time.monotonic()
        try:
            target.read(path)
        except UserError:
            shown[REFUSED] += 1
        except Exception as error:  # noqa: BLE001  anything else is what is looked for
            findings.send((of_exception(error, number), data))
        shown[BEGAN] = 0.0
        shown[TRIED] += 1
        if _peak() - before > limit_of(len(data)):  # the watcher looks too rarely for what is given back at once
            os.kill(os.getpid(), signal.SIGUSR2)
    trace.close()
    findings.close()


def _prepare(folder: Path) -> Any:
    """Say nothing to the terminal, leave a trace when killed, and take no more than an input may need."""
    said = os.open(folder / "said", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(said, 1)
    os.dup2(said, 2)
    sys.stdout = sys.stderr = os.fdopen(said, "w", buffering=1, encoding="utf-8", errors="replace")
    trace = (folder / "trace").open("w")
    # The server of processes may have been begun by a launcher, whose pieces unblock signals by themselves.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1, signal.SIGUSR2})
    faulthandler.enable(trace)
    faulthandler.register(signal.SIGUSR1, trace)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", RuntimeWarning)  # a number that a cast or a power has lost
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    return trace


def _begin_to_measure() -> int:
    """Bytes in memory now; the peak begins here."""
    Path("/proc/self/clear_refs").write_text("5")
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def _peak() -> int:
    """Bytes in memory at the most since `_begin_to_measure`."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split(maxsplit=1)[0]) << 10
