"""The options that say where the pieces of runs are computed, of `main.py` and of the scripts of many runs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from utils.command.arguments import option
from utils.command.limits import Limits
from utils.errors import UserError

_AT_A_TIME = Limits(1, 1024)
ALL, CPU = "all", "cpu"
SLURM = "slurm"


@dataclass(frozen=True, kw_only=True)
class LaunchOptions:
    """Where the folds of runs are computed, and how many of them at a time; no option changes what comes out."""

    launcher: str | None = option(
        None,
        "run each fold in a process of its own, several at a time: local is this machine; the default where one of the "
        "next options is given; slurm submits jobs to Slurm; ray is a Ray of this machine, or a cluster. Without them "
        "main.py runs one fold after the other by itself",
        role="run",
    )
    gpus: tuple[str, ...] | None = option(
        None,
        "GPUs that folds are spread over: all, their numbers, or cpu for none; default: all that torch sees, else the "
        "CPU",
        role="run",
    )
    jobs_per_gpu: int | None = option(None, "folds at a time on each GPU; default: 1", role="run", limits=_AT_A_TIME)
    jobs: int | None = option(
        None,
        "folds at a time on the CPU; default: 1. With --launcher slurm jobs at a time, on any device; default: 64",
        role="run",
        limits=_AT_A_TIME,
    )
    slurm: tuple[str, ...] | None = option(
        None,
        "with --launcher slurm: options of sbatch as NAME=VALUE, such as time=8:00:00 partition=gpu mem=32G "
        "cpus_per_task=4 gpus_per_node=1, and JSON files of them; time is needed",
        role="run",
    )
    dry_run: bool = option(
        False, "with --launcher slurm: submit nothing, but write files for sbatch, and say where", role="run"
    )
    ray_address: str | None = option(
        None,
        "with --launcher ray: the cluster, auto or HOST:PORT, of which this machine is a node; default: a Ray of this "
        "machine, which ends with the command",
        role="run",
    )
    ray_cpus: int | None = option(
        None, "with --launcher ray: CPUs of a fold, the threads that it computes in", role="run", limits=_AT_A_TIME
    )
    ray_retries: int | None = option(
        None,
        "with --launcher ray: how often a fold goes on after its process or its node died; default: 1",
        role="run",
        limits=Limits(0, 1000),
    )

    @property
    def launches(self) -> bool:
        """Whether a launcher is asked for."""
        return any(value is not None for value in (self.launcher, self.gpus, self.jobs_per_gpu, self.jobs))

    @property
    def submits(self) -> bool:
        """Whether pieces are jobs of a batch system, which go on without the command that submits them."""
        return self.launcher == SLURM


def check_launch_options(options: LaunchOptions) -> None:
    """Validate the options against one another.

    Raises:
        UserError: for GPUs that are no numbers or named twice, for both kinds of jobs, and for options of another
            launcher.
    """
    gpus = options.gpus
    if options.submits:
        _check_slurm_options(options)
    elif options.slurm is not None or options.dry_run:
        raise UserError(f"got {'--dry_run' if options.dry_run else '--slurm'}, expected --launcher slurm with it")
    _check_ray_options(options)
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


def _check_slurm_options(options: LaunchOptions) -> None:
    if options.gpus is not None or options.jobs_per_gpu is not None:
        name = "--gpus" if options.gpus is not None else "--jobs_per_gpu"
        raise UserError(
            f"got {name} with --launcher slurm, where each job has GPUs of its own: give --slurm gpus_per_node=1, and "
            "--jobs for so many jobs at a time"
        )


def _check_ray_options(options: LaunchOptions) -> None:
    address = options.ray_address
    for name, value in (("address", address), ("cpus", options.ray_cpus), ("retries", options.ray_retries)):
        if value is not None and options.launcher != "ray":
            raise UserError(f"got --ray_{name} {value}, expected --launcher ray with it")
    if address is None:
        return
    if address != "auto" and not re.fullmatch(r"[^\s/]+:[0-9]{1,5}", address):
        raise UserError(f"got --ray_address {address}, expected auto, or HOST:PORT as ray start prints it")
    if options.gpus not in (None, (ALL,), (CPU,)):
        raise UserError(
            f"got --gpus {' '.join(options.gpus)} with --ray_address, where Ray chooses the GPUs: expected all or cpu"
        )
