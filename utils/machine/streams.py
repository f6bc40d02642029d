"""Standard output and error that never end the work: whoever reads them may leave, and any terminal can show them."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import sys
from typing import Any


class LossyFile(io.FileIO):
    """A file that takes what can be written and loses the rest: a closed pipe, a terminal that is gone, a full disk."""

    _says_so = False

    def write(self, data: Any) -> int:
        """Write to the end, as often as it takes; returns the number of bytes, also of those that were lost."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while rest:
                written = super().write(rest)
                if written is None:  # a pipe that does not wait, and is full
                    select.select([], [self], [])
                else:
                    rest = rest[written:]
        except OSError as error:
            self._tell(error)
        return size

    def _tell(self, error: OSError) -> None:
        """Say once, where anybody can hear it, that something is lost; a reader that leaves (`head`) wants no more."""
        if error.errno == errno.EPIPE or self._says_so or self.fileno() == 2:
            return
        self._says_so = True
        with contextlib.suppress(OSError):
            os.write(2, f"warning: output is lost ({os.strerror(error.errno or 0)}); the work goes on\n".encode())


def lossy_text(file: LossyFile, encoding: str) -> io.TextIOWrapper:
    r"""A text file whose lines are written as they end; letters that the encoding lacks are written as `\xe4`."""
    buffered = io.BufferedWriter(file)
    return io.TextIOWrapper(buffered, encoding, errors="backslashreplace", line_buffering=True)


def open_log(path: str | os.PathLike[str]) -> io.TextIOWrapper:
    """A log that is written at its end, of which a full disk costs lines and nothing else."""
    return lossy_text(LossyFile(path, "a"), "utf-8")


def protect_output() -> None:
    """Make standard output and error of this process such files; for the start of a command.

    Streams that are closed are opened to nowhere: the next file to be opened would take their number, and what
    libraries in C write there would end in it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    sys.stdout = _protected(sys.stdout, 1)
    sys.stderr = _protected(sys.stderr, 2)


def _protected(stream: Any, number: int) -> io.TextIOWrapper:
    encoding = "utf-8" if stream is None else stream.encoding
    return lossy_text(LossyFile(number, "w", closefd=False), encoding)
