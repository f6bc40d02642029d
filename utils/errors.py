"""The errors that a command prints as a sentence, and what the operating system says in such a sentence."""

from __future__ import annotations

import errno
import os
from pathlib import Path


class UserError(ValueError):
    """A setting, file or folder that a user can fix: the message says what was found, what was expected, what to do."""


class MachineError(UserError):
    """What the machine refused while options and files were right: room on a disk, memory, a limit, a right.

    The message says what the system said and what to do about it; a command adds how its work goes on afterwards.
    """


DataError = UserError  # the name that scripts outside this repository may import; nothing here uses it

# What the system raises where a path leads to no file: the path is wrong, and a caller knows best what it should be.
NO_FILE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
_PLACE = "check the disk, or the connection to it"
_RIGHTS = "check the rights of the file and its folder, or give another place"
_OPEN_FILES = "raise the limit on open files (ulimit -n), or read with fewer threads"
# By number; most mean the same for reading and writing.
_ADVICE = {
    errno.ENOSPC: "make room on its disk, or give a place on another one",
    errno.EDQUOT: "remove files, or ask for a larger quota",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f), or give a place on another disk",
    errno.EROFS: "give a place that can be written",
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.ENOENT: "check whether its folder is still there",
    errno.ENOTDIR: "a part of the path is a file: give a path of folders",
    errno.EEXIST: "a file has the name of a folder that is needed: move it, or give another place",
    errno.EISDIR: "a folder has this name: move it, or give another place",
    errno.ENOTEMPTY: "a folder has this name: move it, or give another place",
    errno.ENAMETOOLONG: "use shorter names",
    errno.ELOOP: "a link leads to itself: repair it",
    errno.EMFILE: _OPEN_FILES,
    errno.ENFILE: _OPEN_FILES,
    errno.EAGAIN: "raise the limit on processes and threads (ulimit -u)",
    errno.ENOMEM: "free memory, or use a machine with more of it",
    errno.ENXIO: "give a regular file",
}


def said(error: BaseException) -> str:
    """What the system said, in its words; HDF5 puts a report of many lines into their place.

    >>> said(FileNotFoundError(2, "No such file or directory", "a.csv"))
    'No such file or directory'
    """
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__


def advice(error: OSError) -> str:
    """What a user can do about it.

    >>> advice(OSError(errno.EDQUOT, "Disk quota exceeded"))
    'remove files, or ask for a larger quota'
    """
    return _ADVICE.get(error.errno or 0, _PLACE)


def one_line(text: str, longest: int = 1000) -> str:
    r"""A sentence as any terminal shows it: what is not seen is escaped, the middle of a very long one is cut out.

    Damaged files come with control characters and numbers of thousands of digits, which a message may quote.

    >>> one_line("column a\x00b\n is missing")
    'column a\\x00b\\n is missing'
    """
    shown = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )
    return shown if len(shown) <= longest else f"{shown[: longest // 2]} … {shown[-longest // 2 :]}"


def cannot_write(path: Path, error: OSError) -> MachineError:
    """The error for a file or folder that cannot be written."""
    return MachineError(f"{path} cannot be written ({said(error)}): {advice(error)}")


def cannot_read(path: Path, error: OSError) -> UserError:
    """The error for a file or folder that cannot be read."""
    return UserError(f"{path} cannot be read ({said(error)}): {advice(error)}")


def system_error_behind(error: BaseException) -> OSError | None:
    """The error of the system that another one came from: libraries in C raise their own while they clean up after it.

    >>> try:
    ...     try:
    ...         raise OSError(errno.ENOSPC, "No space left on device")
    ...     finally:
    ...         raise RuntimeError("unexpected pos 704 vs 598")
    ... except RuntimeError as raised:
    ...     said(system_error_behind(raised))
    'No space left on device'
    """
    current: BaseException | None = error
    while current is not None:
        if isinstance(current, OSError) and current.errno:
            return current
        current = current.__cause__ or current.__context__
    return None
