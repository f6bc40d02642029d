"""Calls of this repository's commands as pieces of a launcher, and what is said of them."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from datasets.folds.splits import find_folds
from utils.command.checks import check_limits
from utils.command.clustering_settings import ClusteringSettings
from utils.command.launch_options import LaunchOptions, check_launch_options
from utils.command.settings import RunSettings
from utils.errors import UserError
from utils.launch.launchers import launcher_of
from utils.launch.piece import Ended, Launcher, Piece
from utils.launch.progress import run_with_progress
from utils.launch.runs import run_pieces, shared_by
from utils.machine.cpu_threads import given_threads


@dataclass(frozen=True)
class Job:
    """A call of a command.

    Attributes:
        label: what it is, for a reader.
        command: the module of the command: `main` or `run_clustering`.
        arguments: of the command line.
        log: where its output goes.
        needs: the label of a job that has to end well before, or empty.
    """

    label: str
    command: str
    arguments: tuple[str, ...]
    log: Path
    needs: str = ""


def launch_options(args: argparse.Namespace) -> LaunchOptions:
    """The options of a script that say where its pieces are computed.

    Raises:
        UserError: for impossible ones.
    """
    gpus = None if args.gpus is None else tuple(args.gpus)
    slurm = None if args.slurm is None else tuple(args.slurm)
    names = (field.name for field in dataclasses.fields(LaunchOptions) if field.name not in ("gpus", "slurm"))
    options = LaunchOptions(gpus=gpus, slurm=slurm, **{name: getattr(args, name) for name in names})
    check_limits(options)
    check_launch_options(options)
    return options


def launcher_for(jobs: Sequence[Job], options: LaunchOptions) -> Launcher:
    """The launcher of these calls, on the device of their runs.

    Raises:
        UserError: for GPUs that are not there, or options that do not go with the device.
    """
    devices = [settings.device for settings in map(settings_of, jobs) if isinstance(settings, RunSettings)]
    return launcher_of(options, device=devices[0] if devices else "auto")


def launch_jobs(jobs: Sequence[Job], launcher: Launcher) -> list[Ended]:
    """Run the calls, runs fold by fold, with a line for each as it ends; returns how each ended, in their order."""
    return run_with_progress([piece for job in jobs for piece in pieces_of(job, launcher)], launcher)


def write_jobs(jobs: Sequence[Job], launcher: Launcher) -> None:
    """Write files that submit the calls (`--dry_run`), and say where."""
    from utils.launch.slurm.launcher import written

    sys.stdout.write(written([piece for job in jobs for piece in pieces_of(job, launcher)], launcher) + "\n")


def pieces_of(job: Job, launcher: Launcher) -> list[Piece]:
    """The pieces of a call: a run has its folds; anchors are fitted in one, which looks at the features once."""
    command, settings = importlib.import_module(job.command), settings_of(job)
    if not isinstance(settings, RunSettings):
        needs = (job.needs,) if job.needs else ()
        work = partial(command.run, settings)
        folders = (*settings.input_dir, settings.output_dir)
        return [Piece(job.label, job.label, "anchors", work, f"{job.command}.py", job.log, needs, folders=folders)]
    folds: Sequence[int] = settings.folds or ()
    with contextlib.suppress(UserError):  # the beginning of the run says what is wrong, in its own log
        folds = folds or find_folds(settings.splits_dir)
    threads = given_threads(settings.threads) or launcher.cpus
    settings, n_slots = replace(settings, device=launcher.device, threads=threads), shared_by(launcher)
    label = job.label
    return run_pieces(settings, folds, command.STEPS, n_slots=n_slots, label=label, log=job.log, needs=job.needs)


def settings_of(job: Job) -> RunSettings | ClusteringSettings:
    """The settings of a call, checked as its command checks them.

    Raises:
        UserError: for impossible values.
        SystemExit: for an option that the command does not know; it is said in the command's own words.
    """
    command = importlib.import_module(job.command)
    settings: RunSettings | ClusteringSettings = command.settings_of(
        command.get_args_parser().parse_args(job.arguments)
    )
    return settings


def said_of_failures(prog: str, ended: Sequence[Ended], logs: Path) -> int:
    """Say which parts failed, and return the exit code of the script: 1 if any did."""
    failed = [job for job in ended if job.status]
    if failed:
        sys.stderr.write(f"{prog}: {len(failed)} of {len(ended)} parts failed, see the logs in {logs}:\n")
        sys.stderr.write("".join(f"    {job.label}: {job.said}\n" for job in failed))
    return 1 if failed else 0
