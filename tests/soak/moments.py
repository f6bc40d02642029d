"""The moments at which a process is killed: each step that changes its folder, counted from outside of the code.

An audit hook of Python sees every file that is opened for writing, renamed or removed before it happens. So the code
under test knows nothing of it, and "between the checkpoint and the log" is a number.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree")


@dataclass(frozen=True)
class Moment:
    """When a process gets a signal from itself.

    Attributes:
        step: the number of the step, from 1, before which it is sent.
        signal: its number.
        torn: cut the file that is about to get its name in half first, as if its writing had been interrupted.
    """

    step: int
    signal: int
    torn: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the process that is to obey."""
        return asdict(self)


def changed_path(event: str, arguments: tuple[Any, ...], folder: str) -> str | None:
    """The path below `folder` that an audit event is about to change; None for every other event.

    >>> changed_path("os.rename", ("/a/.1.x", "/a/x", -1, -1), "/a"), changed_path("os.remove", ("/b/x", -1), "/a")
    ('x', None)
    """
    if event == "open":
        path, _, flags = arguments
        if not isinstance(flags, int) or not flags & WRITING:
            return None
    elif event in CHANGES:
        path = arguments[1] if event == "os.rename" else arguments[0]
        if event == "os.mkdir" and os.path.isdir(path):  # noqa: PTH112  the event has plain strings
            return None
    else:
        return None
    if not isinstance(path, (str, bytes, os.PathLike)):
        return None
    full = os.path.abspath(os.fsdecode(path))  # noqa: PTH100  must not follow links
    return os.path.relpath(full, folder) if full.startswith(folder + os.sep) else None


def watch(folder: Path, log: Path, moment: Moment | None) -> None:
    """Write each step of this process below `folder` to `log`, and send this process the signal of its moment."""
    inside = os.path.abspath(folder)  # noqa: PTH100
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    steps = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal steps
        path = changed_path(event, arguments, inside)
        if path is None:
            return
        steps += 1
        os.write(descriptor, f"{event} {path}\n".encode())
        if moment is not None and steps == moment.step:
            if moment.torn and event == "os.rename":
                os.truncate(arguments[0], Path(arguments[0]).stat().st_size // 2)
            os.kill(os.getpid(), signal.Signals(moment.signal))

    sys.addaudithook(hook)
