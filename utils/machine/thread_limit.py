"""A limit on threads (ulimit -u, of a container or a batch job), taken into account before libraries meet it."""

from __future__ import annotations

import os
import threading
import warnings

# The libraries under numpy and torch read these when they are imported, and end the process where a thread of theirs
# cannot be started (OpenBLAS by an interrupt, MKL with exit code 255).
_THREADS_OF_LIBRARIES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_PER_CORE = 4  # numpy, scipy and torch have threads of their own, and files are read in some


def keep_within_thread_limit() -> bool:
    """Let libraries compute in one thread where the system would not start all of theirs; returns whether it would.

    To be called before numpy and torch are imported. A number that the user has set stays.
    """
    # The clock of progress bars is a thread too; without it they are drawn less evenly.
    warnings.filterwarnings("ignore", "tqdm:disabling monitor support")
    wanted = _PER_CORE * (os.cpu_count() or 1)
    if startable_threads(wanted) == wanted:
        return True
    for name in _THREADS_OF_LIBRARIES:
        os.environ.setdefault(name, "1")
    return False


def startable_threads(wanted: int) -> int:
    """How many threads the system starts at the same time, up to `wanted`."""
    release = threading.Event()
    started: list[threading.Thread] = []
    try:
        for _ in range(wanted):
            thread = threading.Thread(target=release.wait, daemon=True)
            thread.start()
            started.append(thread)
    except RuntimeError:  # "can't start new thread"
        pass
    finally:
        release.set()
        for thread in started:
            thread.join()
    return len(started)
