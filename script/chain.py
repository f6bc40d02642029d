"""Command behind `run_cls.sh` and `run_surv.sh` where their calls are jobs: each begins after the one before it.

`python -m script.chain --launcher slurm --slurm time=60 --results_dir DIR --call run_clustering ... --call main ...`
"""

from __future__ import annotations

if __name__ == "__main__":  # before anything that takes time to import
    from utils.machine.start import begin

    begin("chain")

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from script.job_queue import Job, launch_jobs, launch_options, launcher_for, said_of_failures, settings_of, write_jobs
from utils.command.arguments import OneLineParser, add_options
from utils.command.launch_options import LaunchOptions
from utils.command.settings import RunSettings
from utils.launch.launchers import LAUNCHERS
from utils.launch.piece import Ended
from utils.machine.process import exit_code

CALL = "--call"


def get_args_parser() -> argparse.ArgumentParser:
    """The parser of what stands before the first call."""
    parser = OneLineParser("python -m script.chain", "Calls of commands, one after the other, by a launcher.")
    parser.add_argument("--results_dir", type=Path, default=Path("results"), help="results and logs")
    add_options(parser, LaunchOptions, launcher=tuple(LAUNCHERS))
    return parser


def main(argv: Sequence[str]) -> int:
    """Run the calls and return the exit code.

    1 = some parts failed; the others are those of `utils.machine.process.exit_code`.
    """
    own, *calls = split_at(argv, CALL)
    args = get_args_parser().parse_args(own)
    logs = args.results_dir / "logs"
    ended: list[Ended] = []

    def work() -> None:
        options, jobs = launch_options(args), jobs_of(calls, logs)
        launcher = launcher_for(jobs, options)
        if options.dry_run:
            write_jobs(jobs, launcher)
            return
        sys.stdout.write(f"{len(jobs)} parts, {launcher.n_slots} jobs at a time; logs in {logs}\n")
        ended.extend(launch_jobs(jobs, launcher))

    status = exit_code(work, "chain", goes_on="the same command goes on with what is left")
    return status or said_of_failures("chain", ended, logs)


def split_at(words: Sequence[str], mark: str) -> list[list[str]]:
    """The words before the first mark, and those after each.

    >>> split_at(["--jobs", "2", "--call", "main", "--call", "a", "b"], "--call")
    [['--jobs', '2'], ['main'], ['a', 'b']]
    """
    parts: list[list[str]] = [[]]
    for word in words:
        if word == mark:
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def jobs_of(calls: Sequence[Sequence[str]], logs: Path) -> list[Job]:
    """The calls as jobs that need one another in their order.

    Raises:
        UserError: for impossible values of their options.
        SystemExit: for an option that a command does not know; it is said in the command's own words.
    """
    jobs: list[Job] = []
    needs = ""
    for command, *arguments in calls:
        settings = settings_of(Job("", command, tuple(arguments), logs))
        if isinstance(settings, RunSettings):
            label = settings.run_dir.name if settings.stage == "all" else f"{settings.run_dir.name}, {settings.stage}"
            stem = f"{settings.task}_{settings.dataset}_{label.replace(', ', '_')}"
            last = f"{label}, end"
        else:
            label = last = f"{settings.n_clusters} anchors"
            stem = f"{settings.output_dir.name}_{settings.dataset_name}_anchors_{settings.n_clusters}"
        jobs.append(Job(label, command, tuple(arguments), logs / f"{stem}.log", needs=needs))
        needs = last
    return jobs


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
