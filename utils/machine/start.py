"""The first lines of a command, before anything that takes time to import; this file imports as little as can be."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys

# Ctrl-C; `kill` and the time limit of batch systems; a terminal that closes; the warnings that batch systems can be
# asked to send before the limit. All of them end a process that does not answer.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU)


def begin(prog: str) -> None:
    """Answer signals, make output safe, keep within a limit on threads, and let those that wait sleep.

    Until `utils.machine.process.exit_code` takes over, a signal ends the process at once, with a line that names the
    command.
    """

    def leave(number: int, frame: object) -> None:
        try:
            os.write(2, f"{prog}: {ended_by(number)}\n".encode())
        finally:
            os._exit(128 + number)

    for number in ENDING:
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            signal.signal(number, leave)
    from utils.machine.streams import protect_output
    from utils.machine.thread_limit import keep_within_thread_limit
    from utils.machine.waiting import wait_asleep

    protect_output()
    # A signal for a fault of memory, such as a mapped file that is cut short or on a disk that is gone, says where.
    faulthandler.enable(sys.stderr.fileno())
    keep_within_thread_limit()
    wait_asleep()


def ended_by(number: int) -> str:
    """In words, that a signal ended a command.

    >>> ended_by(signal.SIGINT), ended_by(signal.SIGTERM)
    ('interrupted', 'stopped by SIGTERM')
    """
    return "interrupted" if number == signal.SIGINT else f"stopped by {signal.Signals(number).name}"
