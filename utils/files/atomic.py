"""Writing files so that a reader, or a run after Ctrl-C, sees the old file or the whole new one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from utils.errors import cannot_write, system_error_behind
from utils.files.locks import check_owned
from utils.files.temporaries import remove_abandoned, temporary_path


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; it takes the name `path` when the block ends without an error.

    The ending is kept (matplotlib reads it), the name starts with a dot (`find_slides` ignores such files), and an
    error removes what was written. What killed processes left in the folder is removed before the first file that this
    process writes into it. A place whose lock this process has lost (`utils.files.locks`) is not written.

    The new file is on the disk before it takes its name: after a power cut, too, the old one or the whole new one is
    there. Which of the two is not promised.

    Raises:
        MachineError: the system does not let the file be written (full disk, quota, rights, a folder that is gone);
            the message says why, and what to do.
    """
    check_owned(path)
    temporary = temporary_path(path)
    try:
        with _explained(path, temporary):
            path.parent.mkdir(parents=True, exist_ok=True)
            remove_abandoned(path.parent)
            yield temporary
            _to_disk(temporary)
            check_owned(path)
            temporary.replace(path)
    finally:
        with suppress(OSError):  # its folder is gone, or the disk; what happened before says so
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    r"""Write `text` as UTF-8, atomically; bytes of file names that are no UTF-8 are written as `\udcff`, as in JSON."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write `value` as indented JSON, atomically; ValueError for NaN and infinity, which are not JSON."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def _explained(path: Path, temporary: Path) -> Iterator[None]:
    """An error of the system in the block, also one behind an error of a library in C, as a sentence about `path`.

    An error about another file goes on as it is.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        reason = system_error_behind(error)
        if reason is None or reason.filename not in (None, *map(str, (path, temporary, *path.parents))):
            raise
        raise cannot_write(path, reason) from error


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
