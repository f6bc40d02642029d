"""The queue of Slurm: arrays of jobs are submitted by submitit, and looked at by `squeue`."""

from __future__ import annotations

import os
import shutil
import subprocess
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from utils.errors import UserError
from utils.launch.slurm.batch_files import setup_lines
from utils.launch.slurm.call import Call
from utils.launch.slurm.options import SlurmOptions

LONGEST_ARRAY = 1000  # jobs of an array; Slurm takes 1001 unless it is configured otherwise


class Queue(Protocol):
    """A batch system, as the launcher sees it."""

    def submit(self, kind: str, pieces: Path, count: int, after: Sequence[str], folder: Path) -> list[str]:
        """Submit jobs for the first so many pieces of a file, which begin when those of `after` have ended."""

    def states(self) -> dict[str, str]:
        """{job: PENDING, RUNNING, ...} of the jobs that have not ended."""

    def fate(self, job: str) -> str:
        """The state in words of a job that has ended; empty where it is not known."""

    def cancel(self, jobs: Sequence[str]) -> None:
        """Take jobs out of the queue."""


class SlurmQueue:
    """See `Queue`.

    Args:
        options: of `sbatch`.
        parallel: how many jobs of an array run at a time.

    Raises:
        UserError: where submitit is not installed, or Slurm is not there.
    """

    def __init__(self, options: SlurmOptions, parallel: int) -> None:
        try:
            import submitit  # noqa: F401
        except ImportError as error:
            raise UserError(
                "got --launcher slurm, but submitit is not installed: run bash script/setup.sh --with-extras, or pip "
                "install submitit, or write the files for sbatch with --dry_run, which does without it"
            ) from error
        for program in ("sbatch", "srun", "squeue"):
            if shutil.which(program) is None:
                raise UserError(
                    f"got --launcher slurm, but there is no {program} on this machine: start the command where jobs "
                    "are submitted, or write the files for sbatch with --dry_run"
                )
        self._options, self._parallel = options, parallel

    def submit(self, kind: str, pieces: Path, count: int, after: Sequence[str], folder: Path) -> list[str]:
        """Submit one array for all.

        Raises:
            UserError: with what `sbatch` says.
        """
        from submitit.core.utils import FailedJobError
        from submitit.slurm.slurm import SlurmExecutor

        options = self._options
        executor = SlurmExecutor(folder, max_num_timeout=options.max_requeues)
        more: dict[str, Any] = options.of(kind) | {"requeue": True}
        cpus = more.get("cpus-per-task")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            executor.update_parameters(
                job_name=f"mico-{kind}",
                time=options.minutes(kind),
                array_parallelism=self._parallel,
                signal_delay_s=options.signal_delay,
                setup=setup_lines(options),
                stderr_to_stdout=True,
                srun_args=[f"--cpus-per-task={cpus}"] if cpus else [],
                additional_parameters=more,
                **({"dependency": "afterany:" + ":".join(after)} if after else {}),
            )
            try:
                jobs = executor.submit_array([Call(str(pieces.absolute()), number) for number in range(count)])
            except FailedJobError as error:
                said = " ".join(str(error).split()) or "it gave no reason"
                raise UserError(f"sbatch refused the jobs of {kind} ({said}): change the options of --slurm") from error
        return [job.job_id for job in jobs]

    def states(self) -> dict[str, str]:
        """As `squeue` has them.

        Raises:
            UserError: with what `squeue` says.
        """
        lines = _said(["squeue", "-h", "-r", "-u", str(os.getuid()), "-o", "%i %T"])
        return dict(line.split()[:2] for line in lines)

    def fate(self, job: str) -> str:
        """As `scontrol` remembers it for some minutes."""
        try:
            (line, *_) = _said(["scontrol", "show", "job", "-o", job])
        except UserError:
            return ""
        words = dict(word.partition("=")[::2] for word in line.split())
        return words.get("JobState", "")

    def cancel(self, jobs: Sequence[str]) -> None:
        """With `scancel`; whole arrays by their number."""
        subprocess.run(["scancel", *dict.fromkeys(job.split("_")[0] for job in jobs)], check=False)


def _said(command: list[str]) -> list[str]:
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode or not (command[0] == "squeue" or ended.stdout):
        said = " ".join(ended.stderr.split()) or f"exit code {ended.returncode}"
        raise UserError(f"{command[0]} does not answer ({said}): start the same command again when Slurm does")
    return ended.stdout.splitlines()
