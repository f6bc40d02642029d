"""A lock on a file or folder that one process at a time may write: who holds it, and that it ends with its owner.

The lock on `PLACE/NAME` is the file `PLACE/.NAME.lock`, which names its owner's process, host and start. It is held by
`flock`, which the system releases when the process ends, however it ends. How far that reaches:

- processes of one machine: always.
- several machines on NFS: where the mount passes locks on to its server, which is the default. Elsewhere (mounts with
  `nolock` or `local_lock`, file systems without `flock`) the owner renews the file every few seconds, and whoever finds
  the lock of another machine, renewed within the last minute, waits whether that happens again. Two that start at the
  same time may then both go on; the one whose name is not in the file stops at its next write.

`atomic_path` writes nothing into a place whose lock this process has lost.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from utils.errors import UserError, advice, said
from utils.files.lock_owner import Owner, is_running, is_same, open_lock, read_owner, renewed, write_owner

logger = logging.getLogger(__name__)

RENEWED_EVERY = 10.0  # seconds
LIVES_WITHIN = 45.0  # seconds in which the lock of a living process on another machine is seen to be renewed
_SETTLED_AFTER = 0.5  # seconds that a second taker of an abandoned lock needs to be seen, where there is no flock
_PATIENCE, _TOLD_AFTER = 600.0, 3.0  # seconds to wait for a short piece of another process's work
_GLANCE, _TRIES = 0.02, 10  # seconds, and how often: `check_free` has a lock for a moment, and folders come and go
_NO_FLOCK = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


class HeldError(UserError):
    """Another process holds the lock; `owner` is None where its file does not say who."""

    def __init__(self, target: Path, owner: Owner | None) -> None:
        who = "another process" if owner is None else str(owner)
        super().__init__(
            f"{target} is being written by {who}: wait until it is done, stop it, or write to another place"
        )
        self.owner = owner


class Lock:
    """The lock of one target; see the module.

    Args:
        target: what it guards; it need not exist.
    """

    def __init__(self, target: Path) -> None:
        self.target = Path(os.path.abspath(target))  # noqa: PTH100  not resolved: a link is written through
        self.path = lock_path(self.target)
        self._shown = target
        self._descriptor = -1
        self._own: Owner | None = None
        self._made: list[Path] = []

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            HeldError: another process has it.
            UserError: for a folder that cannot be written.
        """
        try:
            for _ in range(_TRIES):
                if self._try():
                    break
            else:
                raise HeldError(self._shown, read_owner(self.path))
        except OSError as error:
            # A lock that was left behind by another user, or a folder that cannot be written.
            place = self.path if os.path.exists(self.path) else self._shown.parent  # noqa: PTH110  never raises
            raise UserError(f"cannot write to {place} ({said(error)}): {advice(error)}") from error
        _held.append(self)
        _renew_from_now_on()

    def release(self) -> None:
        """Give the lock back, and remove its file and the folders made for it that are still empty."""
        if self in _held:
            _held.remove(self)
        if self._is_own():
            with suppress(OSError):  # on a disk that is gone or read-only by now; the work on it has said so
                self.path.unlink()
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)
        for folder in self._made:
            try:
                folder.rmdir()
            except OSError:  # no longer empty, or gone
                break

    def check(self) -> None:
        """Raise UserError if the lock was lost: its folder was removed or moved, or another process took it."""
        if self._is_own():
            return
        owner = read_owner(self.path)
        what = "was removed or moved away" if owner is None else f"was taken over by {owner}"
        raise UserError(f"{self._shown} {what} while this process was writing it: stopped, without writing more")

    def renew(self) -> None:
        """Show others that the owner lives."""
        if self._is_own():
            os.utime(self.path)

    def _try(self) -> bool:
        """Take the lock; False where its file or folder was removed meanwhile, so that it must be tried again."""
        self._make_folder()
        try:
            descriptor = open_lock(self.path)
        except FileNotFoundError:  # a process that gave its lock back has removed the folder, which was empty
            return False
        try:
            has_flock = self._flock(descriptor)
            if not is_same(descriptor, self.path):
                return False
            before = read_owner(self.path)
            if before is not None and self._lives(before, descriptor, has_flock=has_flock):
                raise HeldError(self._shown, before)
            self._own = Owner.this_process()
            write_owner(descriptor, self._own)
            if not has_flock:
                time.sleep(_SETTLED_AFTER)
                after = read_owner(self.path)
                if after != self._own:
                    raise HeldError(self._shown, after)
            self._descriptor, descriptor = descriptor, -1
        finally:
            if descriptor >= 0:
                os.close(descriptor)
        return True

    def _flock(self, descriptor: int) -> bool:
        """Whether the file system has `flock`, and this process now has it."""
        for attempt in range(_TRIES):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if attempt == _TRIES - 1:
                    raise HeldError(self._shown, read_owner(self.path)) from error
                time.sleep(_GLANCE)
            except OSError as error:
                if error.errno not in _NO_FLOCK:
                    raise
                return False
            else:
                break
        return True

    def _lives(self, owner: Owner, descriptor: int, *, has_flock: bool) -> bool:
        """Whether the process that the file of the lock names, open as `descriptor`, still writes."""
        if owner.host == socket.gethostname():
            return not has_flock and is_running(owner.process)
        last = renewed(self.path)
        os.utime(descriptor)  # now, in the clock of the file system, which need not be that of this machine
        before, end = renewed(self.path), time.monotonic() + LIVES_WITHIN
        if last is not None and before is not None and before - last > LIVES_WITHIN * 1e9:
            return False
        logger.info("%s was being written by %s: waiting whether it still lives", self._shown, owner)
        while time.monotonic() < end:
            time.sleep(min(1.0, LIVES_WITHIN / 10))
            if renewed(self.path) != before:
                return True
        return False

    def _make_folder(self) -> None:
        missing = [folder for folder in (self.path.parent, *self.path.parent.parents) if not folder.exists()]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._made = [*missing, *(folder for folder in self._made if folder not in missing)]

    def _is_own(self) -> bool:
        return self._descriptor >= 0 and is_same(self._descriptor, self.path) and read_owner(self.path) == self._own


def lock_path(target: Path) -> Path:
    """The file of the lock on a target."""
    return target.parent / f".{target.name}.lock"


@contextmanager
def locked(*targets: Path) -> Iterator[list[Path]]:
    """Hold the locks of these targets in the block, which is given them.

    Raises:
        HeldError: another process has one of them.
    """
    with ExitStack() as held:
        for target in targets:
            lock = Lock(target)
            lock.acquire()
            held.callback(lock.release)
        yield list(targets)


@contextmanager
def locked_where_free(*targets: Path) -> Iterator[list[Path]]:
    """Hold the locks of those targets that no other process writes in the block, which is given these targets."""
    with ExitStack() as held:
        taken = []
        for target in targets:
            lock = Lock(target)
            try:
                lock.acquire()
            except HeldError:
                continue
            held.callback(lock.release)
            taken.append(target)
        yield taken


@contextmanager
def locked_in_turn(target: Path) -> Iterator[None]:
    """Hold a lock in the block, after waiting for others that have it: for work of seconds.

    Raises:
        HeldError: it was not to be had in ten minutes.
    """
    lock, begin, told = Lock(target), time.monotonic(), False
    while True:
        try:
            lock.acquire()
            break
        except HeldError as error:
            waited = time.monotonic() - begin
            if waited > _PATIENCE:
                raise
            if waited > _TOLD_AFTER and not told:
                logger.info("waiting for %s, which writes %s", error.owner or "another process", target)
                told = True
            time.sleep(0.05)
    try:
        yield
    finally:
        lock.release()


def check_free(targets: Sequence[Path]) -> None:
    """Raise HeldError if a process has the lock of one of these targets; nothing is written."""
    for target in targets:
        try:
            descriptor = os.open(lock_path(target), os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:  # no lock, or a place that cannot be read or written, which is said where it is used
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HeldError(target, read_owner(lock_path(target))) from error
        except OSError:  # without flock only taking the lock can tell
            pass
        finally:
            os.close(descriptor)


def check_owned(path: Path) -> None:
    """Raise UserError if `path` is, or is in, what a lock of this process guarded and was lost."""
    place = Path(os.path.abspath(path))  # noqa: PTH100
    for lock in tuple(_held):
        if lock.target == place or lock.target in place.parents:
            lock.check()


_held: list[Lock] = []
_renewing = threading.Event()


def _renew_from_now_on() -> None:
    if _renewing.is_set():
        return
    try:
        threading.Thread(target=_renew_all, name="lock-renewal", daemon=True).start()
        _renewing.set()
    except RuntimeError:  # a limit on threads: other machines without shared locks will not see this one live
        logger.debug("no thread to renew locks")


def _renew_all() -> None:
    while True:
        time.sleep(RENEWED_EVERY)
        for lock in tuple(_held):
            try:
                lock.renew()
            except OSError:  # the next write says what is wrong
                continue
