"""Who holds the lock of a place, for those who look on and write nothing."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from utils.files.lock_owner import Owner, is_running, read_owner, renewed
from utils.files.locks import LIVES_WITHIN, lock_path


@dataclass(frozen=True)
class Holder:
    """A living process that holds a lock; `owner` is None where the lock does not say yet who it is."""

    owner: Owner | None


def holder_of(target: Path) -> Holder | None:
    """The process that holds the lock of a target; None where none does, or a killed one left its file behind.

    A lock that is held is not touched. A file that seems to be left behind is, for the microseconds in which its
    `flock` is asked for: a process that takes the lock in just these tries again 20 ms later (`utils.files.locks`).

    Of another machine, whose `flock` may not reach this one, a process lives if it has renewed its lock within 45
    seconds by the clocks of both.
    """
    path = lock_path(target)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:  # none, or one that cannot be looked at
        return None
    reached = True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return Holder(read_owner(path))
    except OSError:  # a file system without flock
        reached = False
    finally:
        os.close(descriptor)
    owner = read_owner(path)
    return Holder(owner) if owner is not None and _seems_to_live(path, owner, reached=reached) else None


def _seems_to_live(path: Path, owner: Owner, *, reached: bool) -> bool:
    """Whether the owner of a lock that could be had here lives; `reached`: by a `flock` that reaches this machine."""
    if owner.host == socket.gethostname():
        return not reached and is_running(owner.process)
    last = renewed(path)
    return last is not None and time.time() - last / 1e9 < LIVES_WITHIN
