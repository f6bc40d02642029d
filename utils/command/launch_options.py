"""The options that say where the pieces of runs are computed, of `main.py` and of the scripts of many runs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from utils.command.arguments import option
from utils.command.limits import Limits
from utils.errors import UserError

_AT_A_TIME = Limits(1, 1024)
ALL, CPU = "all", "cpu"


@dataclass(frozen=True, kw_only=True)
class LaunchOptions:
    """Where the folds of runs are computed, and how many of them at a time; no option changes what comes out."""

    launcher: str | None = option(
        None,
        "run each fold in a process of its own, several at a time: local is this machine; the default where one of the "
        "next three options is given. Without them main.py runs one fold after the other by itself",
        role="run",
    )
    gpus: tuple[str, ...] | None = option(
        None,
        "GPUs that folds are spread over: all, their numbers, or cpu for none; default: all that torch sees, else the "
        "CPU",
        role="run",
    )
    jobs_per_gpu: int | None = option(None, "folds at a time on each GPU; default: 1", role="run", limits=_AT_A_TIME)
    jobs: int | None = option(None, "folds at a time on the CPU; default: 1", role="run", limits=_AT_A_TIME)

    @property
    def launches(self) -> bool:
        """Whether a launcher is asked for."""
        return any(value is not None for value in (self.launcher, self.gpus, self.jobs_per_gpu, self.jobs))


def check_launch_options(options: LaunchOptions) -> None:
    """Validate the options against one another.

    Raises:
        UserError: for GPUs that are no numbers or named twice, and for both kinds of jobs.
    """
    gpus = options.gpus
    if gpus is not None:
        numbers = gpus not in ((ALL,), (CPU,))
        if not gpus or (numbers and not all(re.fullmatch(r"[0-9]{1,3}", gpu) for gpu in gpus)):
            raise UserError(f"got --gpus {' '.join(gpus)}, expected all, cpu, or numbers such as 0 1")
        if len({int(gpu) if numbers else gpu for gpu in gpus}) < len(gpus):
            raise UserError(f"got --gpus {' '.join(gpus)}, expected each GPU once: --jobs_per_gpu runs several on one")
    if options.jobs is not None and options.jobs_per_gpu is not None:
        raise UserError("got --jobs, for the CPU, and --jobs_per_gpu, for GPUs, expected one of them")
    if options.jobs is not None and gpus not in (None, (CPU,)):
        raise UserError(f"got --jobs {options.jobs} with --gpus {' '.join(gpus or ())}, expected --jobs_per_gpu")
    if options.jobs_per_gpu is not None and gpus == (CPU,):
        raise UserError(f"got --jobs_per_gpu {options.jobs_per_gpu} with --gpus cpu, expected --jobs")
