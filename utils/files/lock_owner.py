"""The file of a lock: who it says holds it, and whether that process still lives."""

from __future__ import annotations

import json
import os
import socket
import stat
import uuid
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from utils.errors import UserError

_LONGEST = 4096  # bytes of the file


@dataclass(frozen=True)
class Owner:
    """The process that holds a lock: its number, its machine, when it took the lock, and a word of its own."""

    process: int
    host: str
    started: str
    token: str

    def __str__(self) -> str:
        """For messages."""
        return f"process {self.process} on {self.host}, since {self.started}"

    @classmethod
    def this_process(cls) -> Owner:
        """The process that calls, as of now."""
        started = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        return cls(os.getpid(), socket.gethostname(), started, uuid.uuid4().hex)


def open_lock(path: Path) -> int:
    """Open the file of a lock, which is made where there is none, and return its descriptor.

    Raises:
        UserError: for a link, or a pipe or device of this name: what it leads to is not written.
        OSError: where it cannot be opened.
    """
    if path.is_symlink():
        raise UserError(f"{path} is a link, expected a file of this program: remove it")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UserError(f"{path} is a pipe or a device, expected a file of this program: remove it")
    return descriptor


def write_owner(descriptor: int, owner: Owner) -> None:
    """Write into the open file of a lock who holds it."""
    record = json.dumps(asdict(owner)).encode()
    os.pwrite(descriptor, record, 0)
    os.ftruncate(descriptor, len(record))


def read_owner(path: Path) -> Owner | None:
    """The owner that the file of a lock names; None where there is none, or it does not say."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            content = json.loads(os.read(descriptor, _LONGEST))
        finally:
            os.close(descriptor)
        process = content["process"]
        texts = [content[name] for name in ("host", "started", "token")]
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return None
    if not isinstance(process, int) or not 0 < process < 2**31 or not all(isinstance(text, str) for text in texts):
        return None
    return Owner(process, *texts)


def is_same(descriptor: int, path: Path) -> bool:
    """Whether a file that is open is still the one of this name."""
    try:
        named, opened = path.stat(), os.fstat(descriptor)
    except OSError:
        return False
    return (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)


def renewed(path: Path) -> int | None:
    """When a lock was last renewed, in the clock of its file system; opened anew, since NFS remembers."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return os.fstat(descriptor).st_mtime_ns
    finally:
        os.close(descriptor)


def is_running(process: int) -> bool:
    """Whether a process of this number runs on this machine."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's; or no number of a process
        return True
    return True
