"""A signal that asks this process to end: it is said, nothing is lost, and the exit code names it.

SIGINT (Ctrl-C), SIGTERM (`kill`, a batch system at its time limit), SIGHUP (a terminal that closes) and the warnings of
batch systems (SIGUSR1, SIGUSR2, SIGXCPU) raise `Terminated` where they arrive. Work that can be saved between two of
its steps runs in `at_boundaries`, where the first of them only asks.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

from utils.machine.start import ENDING

SIGNALS = ENDING
# `timeout` and batch systems signal a process and its group, which holds it as well: that is one request.
ONE_REQUEST = 1.0  # seconds
STOPPING = "\n{}: stopping after this step; a second one stops at once\n"


class Terminated(KeyboardInterrupt):
    """A signal asks this process to end; a KeyboardInterrupt, so that nothing takes it for a fault of its work.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Requests:
    """The requests to end that this process has received.

    Attributes:
        number: of the first signal; None before one came.
        waits: whether the work under way looks by itself at `number` between two of its steps.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.waits = False
        self._since = 0.0

    def receive(self, number: int, frame: FrameType | None = None) -> None:
        """Take in a signal: raise Terminated, or remember it where the work looks by itself and none came before."""
        first = self.number is None
        if not first and time.monotonic() - self._since < ONE_REQUEST:
            return
        self.number, self._since = number, time.monotonic()
        if first and self.waits:
            say(STOPPING.format("Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name))
        else:
            raise Terminated(number)

    def check(self) -> None:
        """Raise Terminated if a signal has come: to be called between two steps of the work."""
        if self.number is not None:
            raise Terminated(self.number)


_received = Requests()  # signals are the process's, and so is what it knows of them


@contextlib.contextmanager
def signals_end_the_work() -> Iterator[None]:
    """`SIGNALS` raise `Terminated` in this block; the handlers of before are put back after it.

    A signal that is ignored stays ignored, as SIGHUP under `nohup`. Outside of the main thread, where Python allows no
    handlers, nothing changes.
    """
    global _received
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    outer, _received = _received, Requests()
    before = {number: signal.getsignal(number) for number in SIGNALS}
    replaced = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    for number in replaced:
        signal.signal(number, _received.receive)
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)
        _received = outer


@contextlib.contextmanager
def at_boundaries() -> Iterator[Requests]:
    """In this block the first signal is only remembered, and said: the work calls `check` between two of its steps.

    A second signal, more than a second later, raises `Terminated` at once. The end of the block is a boundary as well.
    """
    requests, before = _received, _received.waits
    requests.waits = True
    try:
        yield requests
    finally:
        requests.waits = before
    requests.check()


def exit_status(error: KeyboardInterrupt) -> int:
    """The exit code of a command that a signal ended: 128 + its number.

    >>> exit_status(KeyboardInterrupt()), exit_status(Terminated(signal.SIGTERM))
    (130, 143)
    """
    return 128 + (error.number if isinstance(error, Terminated) else signal.SIGINT)


def say(text: str) -> None:
    """Write to standard error from within a handler, where Python's own streams cannot be entered a second time."""
    with contextlib.suppress(OSError):  # nobody may be there to read it; the work stops all the same
        os.write(2, text.encode("ascii"))
