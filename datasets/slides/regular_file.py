"""Whether a path leads to a file that can be read as a whole: a pipe, for one, would be waited for without end."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

from utils.errors import UserError, cannot_read

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def check_regular_file(path: Path) -> None:
    """Raise UserError, with what the path leads to, unless that is a regular file."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise _absent(path, error) from error
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "no regular file")
        raise UserError(
            f"the feature file {path} does not exist, there is {kind} of this name: give the path of a file"
        )


def _absent(path: Path, error: OSError) -> UserError:
    if error.errno not in (errno.ENOENT, errno.ENOTDIR):
        return cannot_read(path, error)
    if path.is_symlink():
        return UserError(
            f"the feature file {path} is a link to {path.readlink()}, which does not exist: give the path of an "
            "existing file"
        )
    return UserError(f"the feature file {path} does not exist: give the path of an existing file")
