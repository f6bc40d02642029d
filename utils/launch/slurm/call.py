"""The call that submitit stores for a job: the command line of a piece, signals passed on to it, and what follows.

submitit pickles this object (its private file `*_submitted.pkl`); in it are the name of a file and a number. The
piece is a process of its own, which saves what it has when a signal comes (`utils.machine.interruption`) and ends with
128 + the number of the signal. Three of them matter on Slurm:

- SIGUSR2 some time before the time limit. submitit's handler calls `checkpoint`, which passes it on and waits until the
  piece has saved; then the job is put back into the queue, so often as `max_num_timeout` says.
- SIGTERM where a job with higher priority takes its place, and where the job is cancelled. A job that ends by itself in
  the time that it is left is not put back by Slurm. So it asks for that as above, if Slurm still counts it as running.
- SIGKILL of the piece alone, for want of memory or by hand: it is begun once more.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from utils.launch.piece import Ended
from utils.launch.piece_file import read_piece
from utils.launch.slurm.record import write_ended

TRIES = 2  # of a piece whose process is killed
_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGXCPU)


class Call:
    """A piece as a function that submitit can interrupt and begin again.

    Args:
        pieces: a file of pieces.
        number: of the piece in it.
    """

    def __init__(self, pieces: str, number: int) -> None:
        self.pieces, self.number = pieces, number
        self._process: int | None = None

    def __call__(self) -> None:
        """Do the piece, and end this process with its exit code, 128 + n where signal n ended it."""
        from submitit.core.utils import UncompletedJobError

        for number in _PASSED_ON:
            signal.signal(number, lambda number, frame: self._send(number))
        try:
            for _ in range(TRIES):
                status = self._run()
                if status != 128 + signal.SIGKILL:
                    break
            else:
                self._end("its process was killed by SIGKILL; was there enough memory (mem)?")
            if status == 128 + signal.SIGTERM and _is_running():
                signal.raise_signal(signal.SIGUSR2)  # submitit puts the job back, and ends this process
        except UncompletedJobError:
            self._end("reached the time limit once more than max_num_timeout allows; the same command goes on")
            status = 128 + signal.SIGUSR2
        sys.stdout.flush()
        sys.exit(status)  # not as a result of the function, which submitit would store as a pickle

    def checkpoint(self) -> Any:
        """Let the piece save what it has; returns the same call, as submitit's protocol asks."""
        from submitit.helpers import DelayedSubmission

        self._send(signal.SIGUSR2)
        if self._process is not None:
            os.waitid(os.P_PID, self._process, os.WEXITED | os.WNOWAIT)
        return DelayedSubmission(Call(self.pieces, self.number))

    def _run(self) -> int:
        # Signals wait until it is known to whom they are passed on; the command itself does not inherit that.
        command = [sys.executable, "-m", "utils.launch.run_piece", self.pieces, str(self.number)]
        every = set(signal.Signals)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, every)
        try:
            self._process = os.posix_spawn(command[0], command, os.environ, setsigmask=before)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        # Without taking its exit code, so that a handler may wait for the same in the middle of this.
        os.waitid(os.P_PID, self._process, os.WEXITED | os.WNOWAIT)
        process, self._process = self._process, None
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        return status if status >= 0 else 128 - status

    def _end(self, said: str) -> None:
        """Write that the piece has failed, which it could not write itself."""
        piece, _ = read_piece(Path(self.pieces), self.number)
        write_ended(piece, Ended(piece.label, 1, said))

    def _send(self, number: int) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process, number)


def _is_running() -> bool:
    """Whether Slurm counts the job of this process as running: not while it is being cancelled."""
    job, array = os.environ.get("SLURM_JOB_ID"), os.environ.get("SLURM_ARRAY_JOB_ID")
    if job is None:
        return False
    if array is not None:  # the number of its last job is that of the whole array
        job = f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    asked = subprocess.run(["squeue", "-h", "-j", job, "-o", "%T"], capture_output=True, text=True, check=False)
    return asked.stdout.strip() == "RUNNING"
