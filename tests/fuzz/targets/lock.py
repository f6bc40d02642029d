"""The file of a lock that a process left behind."""

from __future__ import annotations

from pathlib import Path

from utils.files import lock_owner, locks

NAME = ".fold0.lock"


def seeds(folder: Path) -> list[Path]:
    lock = locks.Lock(folder / "fold0")
    lock.acquire()
    record = lock.path.read_bytes()
    lock.release()
    path = folder / "lock"
    path.write_bytes(record)
    return [path]


def read(path: Path) -> None:
    """Not by taking the lock: of one that names another machine, it waits whether that lives."""
    owner = lock_owner.read_owner(path)
    if owner is not None:
        str(owner)
        lock_owner.is_running(owner.process)
    with locks.locked(path.parent / "other"):
        locks.check_free([path.parent / "fold0"])
