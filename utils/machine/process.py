"""The end of a command: what it says about signals and about what stopped its work, and its exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from utils.errors import MachineError, UserError, advice, one_line, said
from utils.machine.interruption import exit_status, signals_end_the_work
from utils.machine.memory import memory_error
from utils.machine.start import ended_by

AGAIN = "the same command starts it again"


def exit_code(work: Callable[[], object], prog: str, *, goes_on: str = AGAIN) -> int:
    """Do the work of a command; returns its exit code.

    0 = success; 2 = something that the user can fix, after one sentence on standard error; 128 + n = ended by signal n
    (130 = Ctrl-C, 143 = SIGTERM), after one line.

    Args:
        work: what is done.
        prog: the name of the command, for the sentence; empty where a script speaks through it.
        goes_on: what the same command does after an interruption, or after a failure of the machine.
    """
    name = f"{prog}: " if prog else ""
    try:
        with signals_end_the_work():
            work()
            sys.stdout.flush()
    except KeyboardInterrupt as stopped:
        number = exit_status(stopped)
        sys.stderr.write(f"{name}{ended_by(number - 128)}; {goes_on}\n")
        return number
    except (UserError, OSError, MemoryError, RuntimeError, ImportError) as error:
        problem = _sentence(error)
        if problem is None:
            raise
        if isinstance(problem, MachineError):
            problem = MachineError(f"{str(problem).removesuffix('.')}; then {goes_on}")
        sys.stderr.write(f"{name}error: {one_line(str(problem))}\n")
        return 2
    return 0


def _sentence(error: BaseException) -> UserError | None:
    """What a user reads about an error; None for a fault of this program, whose traceback is to be seen."""
    if isinstance(error, UserError):
        return error
    if isinstance(error, OSError):
        place = error.filename2 or error.filename
        what = "the system says" if place is None else f"{os.fsdecode(place)} cannot be used"
        return MachineError(f"{what} ({said(error)}): {advice(error)}")
    if "can't start new thread" in str(error):
        return MachineError("the system starts no more threads: raise the limit on processes and threads (ulimit -u)")
    return memory_error(error)
