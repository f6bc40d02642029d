"""The names of files that are being written, and the removal of those whose writer was killed.

A name says which process of which machine writes. What a process of this machine left is removed when it runs no more;
of another machine, also of this one before it was started again, when nobody has written to it for a day.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import socket
import threading
import time
from pathlib import Path

from utils.files.lock_owner import is_running

_NAME = re.compile(r"\.tmp-(?P<process>[0-9]+)-(?P<machine>[0-9a-f]{8})-.")
_LONGEST = 255  # bytes of a file name, on the file systems of Linux and macOS
_ABANDONED_AFTER = 86400.0  # seconds; a single file takes minutes to write at most
_looked_at: set[Path] = set()
_looking = threading.Lock()


def temporary_path(path: Path) -> Path:
    """Where this process writes what will be `path`: in the same folder, hidden, with the same ending.

    Where the name would be too long, that of `path` loses letters in front.
    """
    prefix = f".tmp-{os.getpid()}-{_machine()}-"
    name = os.fsencode(path.name)[-(_LONGEST - len(prefix)) :]
    return path.with_name(
        prefix + name.decode(errors="ignore" if name != os.fsencode(path.name) else "surrogateescape")
    )


def remove_abandoned(folder: Path, *, again: bool = False) -> None:
    """Remove the temporary files and folders that processes left in `folder` when they were killed.

    A process looks once into each folder: before its first file there, so that none of them is its own.

    Args:
        folder: where to look; folders below it are left alone.
        again: look although this process has done so, and leave its own files.
    """
    place = Path(os.path.abspath(folder))  # noqa: PTH100  not resolved: only a key
    with _looking:
        first = place not in _looked_at
        _looked_at.add(place)
        if not first and not again:
            return
        try:
            names = os.listdir(folder)  # noqa: PTH208  a listing, without a look at each file
        except OSError:  # not there yet, or not to be read; the work in it says so
            return
        for name in names:
            found = _NAME.match(name)
            if found and _is_abandoned(folder / name, int(found["process"]), found["machine"], own=first):
                _remove(folder / name)


def _is_abandoned(path: Path, process: int, machine: str, *, own: bool) -> bool:
    if machine == _machine():
        return own if process == os.getpid() else not is_running(process)
    try:
        return time.time() - path.lstat().st_mtime > _ABANDONED_AFTER
    except OSError:
        return False


def _remove(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    except OSError:  # another process was faster, or may and we may not; it harms nobody
        return


@functools.cache
def _machine() -> str:
    """Where the number of this process means this process: a machine since it was started, or a container on it."""
    parts = [socket.gethostname()]
    try:
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))
        parts.append(os.readlink("/proc/self/ns/pid"))  # noqa: PTH115  the link leads nowhere
    except OSError:  # not on Linux
        pass
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
