"""What HDF5 says when it cannot read or write a file, as an error that tells what to do."""

from __future__ import annotations

import errno
import os
import re
from contextlib import AbstractContextManager
from pathlib import Path

from datasets.slides.slide_content import unreadable
from utils.errors import UserError
from utils.files.tensors import first_line

# What h5py raises for files that are damaged, by tens of thousands of inputs: it chooses by what HDF5 reports.
_RAISED = (OSError, RuntimeError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, SystemError)
_ERRNO = re.compile(r"errno = (\d+)")
_LOCKED = (errno.EAGAIN, errno.EACCES)


class told_by_hdf5(AbstractContextManager[None]):  # noqa: N801  as a generator it took twice as long
    """Every failure of HDF5 in the block as a UserError about the file, and `part` of it if given."""

    def __init__(self, path: Path, part: str = "") -> None:
        self._path, self._part = path, part

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, _RAISED) and not isinstance(error, UserError):
            raise _unreadable_h5(self._path, error, self._part) from error


def system_error(error: BaseException) -> OSError | None:
    """The error of the system that HDF5 reports in its text; None where it reports none.

    >>> system_error(RuntimeError("unable to extend file properly, errno = 27, error message = 'File too large'"))
    OSError(27, 'File too large')
    """
    number = error.errno if isinstance(error, OSError) else None
    found = _ERRNO.search(str(error))
    number = number or (int(found[1]) if found else None)
    return None if not number else OSError(number, os.strerror(number))


def _unreadable_h5(path: Path, error: BaseException, part: str) -> UserError:
    """The error with what HDF5 or the system says, and what to do about it."""
    said = str(error)
    system = system_error(error)
    if "unable to lock file" in said and system is not None:
        reason = f"unable to lock file: {system.strerror}"
        if system.errno in _LOCKED:
            return UserError(f"{path} cannot be read as HDF5 ({reason}): wait until the program that writes it is done")
        return UserError(f"{path} cannot be read as HDF5 ({reason}): set HDF5_USE_FILE_LOCKING=FALSE on such a disk")
    if system is not None:
        return unreadable(path, "HDF5", system)
    if path.exists() and path.stat().st_size == 0:
        return UserError(f"{path} cannot be read as HDF5, since it is empty (0 bytes): extract its features again")
    reason = f"{part}{first_line(error)}"
    if "already open for" in said:
        return UserError(
            f"{path} cannot be read as HDF5 ({reason}): wait until the program that writes it is done; if that was "
            "killed, extract the slide again"
        )
    return unreadable(path, "HDF5", RuntimeError(reason))
