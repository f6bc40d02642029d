"""Command behind `tune.sh`: anchors, a run for each combination of a grid, and their comparison by validation cases.

`python -m script.tuning --grid TEXT ...`; the shell script has the defaults and sets the environment up.
"""

from __future__ import annotations

if __name__ == "__main__":  # before anything that takes time to import
    from utils.machine.start import begin

    begin("tuning")

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import main as training
import run_clustering as clustering
from datasets.folds.splits import find_folds
from script.check_run import check_runs
from script.cohort_plan import options_of_both
from script.grid import Trial, read_grid, trials_of
from script.job_queue import Job, launch_jobs, launch_options, launcher_for, said_of_failures, write_jobs
from utils.command.arguments import OneLineParser, add_options
from utils.command.launch_options import LaunchOptions
from utils.command.settings import RANDOM
from utils.errors import UserError
from utils.files.phrases import counted
from utils.launch.launchers import LAUNCHERS
from utils.launch.piece import Ended
from utils.machine.process import exit_code
from utils.pipeline.model_options import run_settings, takes_anchors
from utils.tables.tuning import check_metric, compare_runs, write_comparison
from utils.tables.tuning_text import format_tuning

# What the script sets for each run by itself.
RESERVED = (
    *("task", "dataset", "features_dir", "splits_dir", "anchors", "folds", "results_dir", "run_name", "model"),
    *("n_clusters", "stage", "resume", "overwrite", "on_missing", "feature_norm"),
)


def get_args_parser() -> argparse.ArgumentParser:
    """The parser of this command."""
    parser = OneLineParser("python -m script.tuning", "Train every combination of a grid, and compare them.")
    add = parser.add_argument
    add("--grid", required=True, metavar="TEXT", help="a line for each option: its name, then its values")
    add("--task", required=True, choices=("cls", "surv"), help="classification or survival")
    add("--dataset", required=True, help="name of the data set")
    add("--features_dir", required=True, nargs="+", help="directories of feature files")
    add("--splits_dir", required=True, type=Path, help="directory of fold0.csv, fold1.csv and so on")
    add("--folds", type=int, nargs="+", help="folds to run; default: all")
    add("--fixed", nargs="*", default=[], metavar="NAME=VALUE", help="options of all runs that are not in the grid")
    add("--results_dir", type=Path, default=Path("results"), help="results, logs and the comparison")
    add("--anchors_dir", type=Path, default=Path("anchors"), help="anchors")
    add("--feature_norm", default="none", help="scale of the features")
    add("--on_missing", default="error", help="slides without features: error or drop")
    add("--by", help="metric that names the best run (default: auc in cls, c_index in surv)")
    add_options(parser, LaunchOptions, launcher=tuple(LAUNCHERS))
    add("--gpu", action="store_true", help="fit anchors on the GPU")
    add("more", nargs="*", help="after --: options of main.py for all runs")
    return parser


def main(args: argparse.Namespace) -> int:
    """Train what is not trained yet, and write the comparison.

    Returns the exit code: 1 = some parts failed; the others are those of `utils.machine.process.exit_code`.
    """
    place, logs = args.results_dir / args.task / args.dataset, args.results_dir / "logs"
    ended: list[Ended] = []

    def work() -> None:
        options = launch_options(args)
        trials, jobs = planned(args)
        launcher = launcher_for(jobs, options)
        if options.dry_run:
            write_jobs(jobs, launcher)
            return
        parts = f"{len(jobs)} parts ({len(jobs) - len(trials)} of anchors, {counted(len(trials), 'run')})"
        at_a_time = f"{launcher.n_slots} at a time"
        sys.stdout.write(f"{parts}, {at_a_time}, of which finished ones are kept; logs in {logs}\n")
        ended.extend(launch_jobs(jobs, launcher))
        trained = [place / trial.run_name for trial in trials if (place / trial.run_name / "run.json").exists()]
        if trained:
            compared = compare_runs(trained, by=args.by)
            write_comparison(place, compared)
            sys.stdout.write(f"\n{format_tuning(compared)}\nwrote {place / 'tuning'}.md, .csv and .json\n")

    status = exit_code(work, "tuning", goes_on="the same command goes on with what is left")
    if status:
        return status
    return said_of_failures("tuning", ended, logs)


def planned(args: argparse.Namespace) -> tuple[list[Trial], list[Job]]:
    """The trials, and all calls in their order, checked as the commands themselves would check them.

    Raises:
        UserError: for arguments that cannot be meant, before any work.
        SystemExit: for an option that a command does not know; it is said in the command's own words.
    """
    grid, fixed = read_grid(args.grid), dict(word.split("=", 1) for word in args.fixed)
    for word in args.more:
        name = word.split("=")[0].removeprefix("--")
        if word.startswith("--") and (name in grid or name in RESERVED):
            where = "in the grid" if name in grid else "set by the script: use its variables or the grid"
            raise UserError(f"got --{name} among the options of main.py, which is {where}")
    trials = trials_of(grid, model=fixed["model"])
    # One scale of the features for all: where a model takes anchors, the others get theirs with the same files.
    is_fitted = any(takes_anchors(trial.options.get("model", fixed["model"])) for trial in trials)
    runs = [_run_job(args, trial, fixed, is_fitted=is_fitted) for trial in trials]
    numbers = dict.fromkeys(trial.options.get("n_clusters", fixed["n_clusters"]) for trial in trials)
    anchors = list(_anchor_jobs(args, list(numbers))) if is_fitted else []
    for job in anchors:
        clustering.settings_of(clustering.get_args_parser().parse_args(job.arguments))
    settings = [run_settings(training.get_args_parser().parse_args(job.arguments)) for job in runs]
    check_metric(args.by, args.task, [name for name, values in grid.items() if len(values) > 1])
    check_runs(settings)
    return trials, [*anchors, *runs]


def _anchor_jobs(args: argparse.Namespace, numbers: Sequence[str]) -> Iterator[Job]:
    """Fitting the anchors of each fold, a job for each number of anchors."""
    folds = args.folds or find_folds(args.splits_dir)
    for k in numbers:
        arguments = ["--dataset_name", args.dataset, "--n_clusters", k, "--scope", "dataset", "--input_dir"]
        arguments += [*args.features_dir, "--output_dir", str(args.anchors_dir), "--feature_norm", args.feature_norm]
        arguments += ["--fold_csv", *(str(args.splits_dir / f"fold{fold}.csv") for fold in folds)]
        arguments += ["--on_missing", args.on_missing, *(["--gpu"] if args.gpu else []), *options_of_both(args.more)]
        log = args.results_dir / "logs" / f"{args.task}_{args.dataset}_anchors_{k}.log"
        yield Job(_anchors_label(k), "run_clustering", tuple(arguments), log)


def _run_job(args: argparse.Namespace, trial: Trial, fixed: dict[str, str], *, is_fitted: bool) -> Job:
    """Training one combination; finished folds are kept, and no test case is predicted."""
    k = trial.options.get("n_clusters", fixed["n_clusters"])
    arguments = ["--task", args.task, "--dataset", args.dataset, "--features_dir", *args.features_dir]
    arguments += ["--splits_dir", str(args.splits_dir), "--run_name", trial.run_name, "--stage", "train", "--resume"]
    if is_fitted:
        arguments += ["--anchors", str(args.anchors_dir / f"{args.dataset}_C_{k}_init_fold{{fold}}.pt")]
    else:
        arguments += ["--anchors", RANDOM, "--feature_norm", args.feature_norm]
    arguments += ["--results_dir", str(args.results_dir), "--on_missing", args.on_missing]
    arguments += ["--folds", *map(str, args.folds)] if args.folds else []
    arguments += [word for name, value in fixed.items() if name not in trial.options for word in (f"--{name}", value)]
    log = args.results_dir / "logs" / f"{args.task}_{args.dataset}_{trial.run_name}.log"
    needs = _anchors_label(k) if is_fitted else ""
    return Job(trial.run_name, "main", (*arguments, *trial.words, *args.more), log, needs=needs)


def _anchors_label(k: str) -> str:
    return f"{k} anchors"


if __name__ == "__main__":
    sys.exit(main(get_args_parser().parse_args()))
