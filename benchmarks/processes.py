"""What a command takes as a process of its own: seconds on the clock and of the processor, and memory at the peak.

Run as a script, with the arguments of a Python as its own, it starts that Python and prints the figures: a process
counts the memory of the one that started it as its own, so that must be small.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import NamedTuple


class Usage(NamedTuple):
    """What a process has used, with those that it started and waited for.

    Attributes:
        wall: seconds on the clock.
        seconds: of the processor, user and system, all threads.
        gigabytes: the largest resident set of one process.
    """

    wall: float
    seconds: float
    gigabytes: float


def measured(arguments: Sequence[str], *, threads: int | None = 1) -> Usage:
    """What Python with these arguments takes; its start included.

    Args:
        arguments: of Python.
        threads: of OpenMP and OpenBLAS; as many as they like with None.

    Raises:
        RuntimeError: it fails; with what it wrote.
    """
    limits = {} if threads is None else dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    with tempfile.TemporaryFile() as written:
        called = [sys.executable, "-S", __file__, *arguments]
        ended = subprocess.run(
            called, stdout=subprocess.PIPE, stderr=written, env={**os.environ, **limits}, check=False
        )
        if ended.returncode:
            written.seek(0)
            raise RuntimeError(f"python {' '.join(arguments)}: {written.read().decode(errors='replace')}")
    return Usage(*json.loads(ended.stdout))


def _run(arguments: Sequence[str]) -> int:
    """Start Python with these arguments, print what it used, and return its exit code."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], stdout=sys.stderr)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)  # so that nobody waits for it again
    sys.stdout.write(json.dumps(Usage(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e9)))
    return process.returncode


if __name__ == "__main__":
    sys.exit(_run(sys.argv[1:]))
