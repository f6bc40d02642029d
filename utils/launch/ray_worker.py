"""What runs in the processes of Ray, on whichever node; imports as little as can be."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Sequence
from pathlib import Path

from utils.launch.process import run_piece
from utils.machine.cpu_threads import THREADS
from utils.machine.interruption import SIGNALS


def compute(pickled: bytes, folder: str, threads: str) -> int:
    """Do a piece, and return its exit code.

    Ray has set the GPUs that this process sees; so that threads are counted before torch is imported too, the piece
    comes pickled.

    Args:
        pickled: the piece.
        folder: in which its paths begin.
        threads: that it computes in.
    """
    os.environ[THREADS] = threads
    os.chdir(folder)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)  # of Ray on one machine, see `start_ray`
    return run_piece(pickle.loads(pickled))


def missing(paths: Sequence[str], folder: str) -> list[str]:
    """Those of the paths that this node does not see; `folder` is where they begin."""
    os.chdir(folder)
    return [path for path in paths if not Path(path).exists()]
