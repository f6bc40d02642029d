"""Command behind `reproduce_tables.sh`: anchors, runs and tables of all cohorts.

`python -m script.reproduction --cohorts TABLE ...`; the shell script has the defaults and sets the environment up.
"""

from __future__ import annotations

if __name__ == "__main__":  # before anything that takes time to import
    from utils.machine.start import begin

    begin("reproduction")

import argparse
import sys
from pathlib import Path

from script.check_run import check_model
from script.cohort_plan import (
    Plan,
    PlannedRun,
    anchor_jobs,
    check_options,
    options_of_both,
    plan_runs,
    plan_text,
    read_cohorts,
    run_job_of,
)
from script.job_queue import Job, launch_jobs, launch_options, launcher_for, said_of_failures, settings_of, write_jobs
from utils.command.arguments import OneLineParser, add_options
from utils.command.launch_options import LaunchOptions
from utils.command.settings import RunSettings
from utils.files.atomic import write_text
from utils.launch.launchers import LAUNCHERS
from utils.launch.piece import Ended
from utils.machine.process import exit_code
from utils.paper.__main__ import read_notes
from utils.paper.tables import write_paper_tables


def get_args_parser() -> argparse.ArgumentParser:
    """The parser of this command."""
    parser = OneLineParser("python -m script.reproduction", "Anchors, runs and tables of all cohorts.")
    parser.add_argument("--cohorts", required=True, metavar="TABLE", help="text of the table of cohorts")
    parser.add_argument("--models", nargs="*", default=[], help="baselines beside MiCo")
    parser.add_argument("--ablations", nargs="*", default=[], help="parts that MiCo is trained without")
    parser.add_argument("--n_clusters", type=int, default=64, help="anchors of MiCo in the tables")
    parser.add_argument("--sweep", type=int, nargs="*", default=[], help="numbers of anchors in the sweep")
    parser.add_argument("--seeds", type=int, nargs="+", default=[2024], help="of the runs")
    parser.add_argument("--results_dir", type=Path, default=Path("results"), help="results, logs and tables")
    parser.add_argument("--anchors_dir", type=Path, default=Path("anchors"), help="anchors")
    add_options(parser, LaunchOptions, launcher=tuple(LAUNCHERS))
    parser.add_argument("--gpu", action="store_true", help="fit anchors on the GPU")
    parser.add_argument("--on_missing", default="error", help="slides without features: error or drop")
    parser.add_argument("--on_change", default="restart", help="results of other settings: restart, or error")
    parser.add_argument("--notes", type=Path, help="file of lines to add to the notes of the tables")
    parser.add_argument("more", nargs="*", help="after --: options of main.py for all runs")
    return parser


def main(args: argparse.Namespace) -> int:
    """Run everything that is not there yet and return the exit code.

    1 = some parts failed; the others are those of `utils.machine.process.exit_code`.
    """
    tables, logs = args.results_dir / "tables", args.results_dir / "logs"
    ended: list[Ended] = []

    def work() -> None:
        options = launch_options(args)
        runs, jobs = planned(args, logs)
        notes = read_notes(args.notes)
        launcher = launcher_for(jobs, options)
        write_text(tables / "plan.csv", plan_text(runs))
        if options.dry_run:
            write_jobs(jobs, launcher)
            return
        parts = f"{len(jobs)} parts ({len(runs)} runs of main.py), {launcher.n_slots} at a time"
        sys.stdout.write(f"{parts}; logs in {logs}\n")
        ended.extend(launch_jobs(jobs, launcher))
        write_paper_tables(tables / "plan.csv", tables, notes=notes)
        sys.stdout.write(f"the tables: {tables / 'README.md'}\n")

    status = exit_code(work, "reproduction", goes_on="the same command goes on with what is left")
    if status:
        return status
    return said_of_failures("reproduction", ended, logs)


def planned(args: argparse.Namespace, logs: Path) -> tuple[list[PlannedRun], list[Job]]:
    """The runs, and all calls in their order, checked as the commands themselves would check them.

    Raises:
        UserError: for arguments that cannot be meant, before any work.
        SystemExit: for an option that a command does not know; it is said in the command's own words.
    """
    check_options(args.more)
    cohorts = read_cohorts(args.cohorts)
    numbers = {"n_clusters": args.n_clusters, "sweep": tuple(args.sweep), "seeds": tuple(args.seeds)}
    plan = Plan(tuple(args.models), tuple(args.ablations), **numbers)
    runs = plan_runs(cohorts, plan)
    missing = ["--on_missing", args.on_missing]
    fitting = [*missing, *(["--gpu"] if args.gpu else []), *options_of_both(args.more)]
    options = [*missing, "--on_change", args.on_change, *args.more]
    jobs = [job for cohort in cohorts for job in anchor_jobs(cohort, plan, args.anchors_dir, logs, fitting)]
    jobs += [run_job_of(run, args.anchors_dir, args.results_dir, logs, options) for run in runs]
    for job in jobs:
        settings = settings_of(job)
        if isinstance(settings, RunSettings):  # a cohort that is not as it should be stops its own parts only
            check_model(settings, n_outputs=2)
    return runs, jobs


if __name__ == "__main__":
    sys.exit(main(get_args_parser().parse_args()))
