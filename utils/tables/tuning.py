"""Runs of one data set by their validation cases: which options differ, which run is best. No test case is looked at.

`python -m utils.tables.tuning RESULTS/TASK/DATASET`, or with the folders of some of its runs, writes `tuning.csv`,
`tuning.json` and `tuning.md` beside the runs, from `run.json`, `fold{k}/predictions_val.csv` and `fold{k}/log.csv`.
"""

from __future__ import annotations

if __name__ == "__main__":  # before anything that takes time to import
    from utils.machine.start import begin

    begin("python -m utils.tables.tuning")

import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.command.arguments import OneLineParser
from utils.errors import UserError
from utils.files.atomic import write_json, write_text
from utils.files.csv_table import csv_text
from utils.machine.process import exit_code
from utils.runs.deciding_options import compared_options, differing_names, in_words
from utils.runs.epoch_log import best_epoch, log_if_whole
from utils.runs.fold_state import training_state
from utils.runs.predictions import read_predictions, task_of
from utils.runs.protocol import completed
from utils.runs.run_command import command_of
from utils.runs.run_dir import fold_dir, fold_files
from utils.runs.run_record import read_run
from utils.runs.tasks import TASKS
from utils.runs.training_outcomes import read_training_outcomes
from utils.tables.averages import over_folds
from utils.tables.summary import fold_metrics
from utils.tables.tuning_rank import at_the_edge, near, rank
from utils.tables.tuning_text import LOSS, format_tuning


@dataclass(frozen=True)
class _Run:
    """A run with `run.json` and, for each fold that is trained to its end, its validation metrics."""

    run_dir: Path
    record: dict[str, Any]
    folds: list[dict[str, Any]]


def compare_runs(run_dirs: Sequence[Path], *, by: str | None = None) -> dict[str, Any]:
    """The content of tuning.json.

    Args:
        run_dirs: of one task, one data set and the same splits, all in one folder.
        by: the metric by which they are sorted; by default the main metric of the task.

    Returns:
        `task, dataset`; `by`; `options`: in which the runs differ; `metrics`: their names, `loss` the last;
        `folds`: of the folds that any of the runs has;
        `runs`, the best first, then those that do not define `by` in every fold, those without all folds last: each
        `run_name`, `options` {name: value}, `folds`
        (per fold `fold`, `n_val`, the metrics, `best_epoch`, `n_epochs`), `mean`, `std`, `n_defined` as of
        `utils.tables.averages`, `missing_folds`, and `tested`, whether a call that opens its test cases has been made;
        `best`: the name of the first, None where no run has all folds or defines the metric; `test`: the command that
        tests it; `near`: the others whose mean, over as many folds, is within one standard deviation of the best;
        `at_the_edge` {option: (its value, "smallest" or "largest")} where the best run has an end of the tried values.

    Raises:
        UserError: for runs that cannot be compared, a metric that the task does not have, or damaged files.
    """
    runs = [_read(run_dir) for run_dir in run_dirs]
    _check_comparable(runs)
    task, values = TASKS[runs[0].record["task"]], compared_options([run.record for run in runs])
    options = differing_names(values)
    metrics, by = (*task.shown, LOSS), check_metric(by, task.name, options)
    folds = sorted({fold["fold"] for run in runs for fold in run.folds})
    if not folds:
        raise UserError(
            f"none of {len(runs)} runs in {runs[0].run_dir.parent} has a trained fold, expected fold*/log.csv and "
            "fold*/predictions_val.csv: train them first (main.py --stage train)"
        )
    chosen = [{name: own.get(name) for name in options} for own in values]
    pairs = [(run, _row(run, own, metrics, folds)) for run, own in zip(runs, chosen, strict=True)]
    ranked = sorted(pairs, key=lambda pair: rank(pair[1], by))
    rows = [row for _, row in ranked]
    compared = {"task": task.name, "dataset": runs[0].record["dataset"], "by": by, "options": options}
    compared |= {"metrics": list(metrics), "folds": folds, "runs": rows, "best": None, "test": None}
    run, best = ranked[0]
    if not best["missing_folds"] and best["mean"][by] is not None:
        compared |= {"best": best["run_name"], "test": command_of(run.record, run_name=best["run_name"], stage="test")}
    return compared | {"near": near(rows, by), "at_the_edge": at_the_edge(rows, options)}


def check_metric(by: str | None, task: str, options: Collection[str]) -> str:
    """The metric by which runs are sorted: `by`, or the main one of the task.

    Args:
        by: its name, or None.
        task: of the runs.
        options: in which they differ.

    Raises:
        UserError: for a metric that the task does not have, or a loss that these runs do not share.
    """
    known, main_metric = (*TASKS[task].shown, LOSS), TASKS[task].metric
    if by is not None and by not in known:
        raise UserError(f"got --by {by} for runs of task {task}, expected one of {', '.join(known)}")
    other_losses = [name for name in ("n_bins", "alpha_surv") if name in options and by == LOSS]
    if other_losses:
        raise UserError(
            f"got --by {LOSS} for runs that differ in {other_losses[0]}, whose losses are of different scales: give "
            f"--by {main_metric}"
        )
    return by or main_metric


def write_comparison(place: Path, compared: dict[str, Any]) -> None:
    """Write `tuning.csv`, `tuning.json` and `tuning.md` into `place`, each atomically."""
    options, metrics = compared["options"], compared["metrics"]
    columns = ["run_name", *options, "n_folds", *(f"val_{name}_{what}" for name in metrics for what in ("mean", "std"))]
    rows = []
    for run in compared["runs"]:
        row = {"run_name": run["run_name"], **{name: in_words(run["options"][name]) for name in options}}
        row |= {"n_folds": len(run["folds"]), "best_epochs": " ".join(str(f["best_epoch"]) for f in run["folds"])}
        rows.append(row | {f"val_{name}_{what}": run[what][name] for name in metrics for what in ("mean", "std")})
    write_text(place / "tuning.csv", csv_text([*columns, "best_epochs"], rows))
    write_json(place / "tuning.json", compared)
    write_text(place / "tuning.md", format_tuning(compared))


def find_runs(places: Sequence[Path]) -> list[Path]:
    """The folders of runs among `places`: each itself, or, where it has no `run.json`, those directly below it.

    Raises:
        UserError: for a place without a run.
    """
    found: dict[tuple[Path, str], Path] = {}
    for given in places:
        place = given if given.name not in ("", "..") else given.resolve()  # the name of a run is that of its folder
        runs = [place] if (place / "run.json").exists() else sorted(path.parent for path in place.glob("*/run.json"))
        if not runs:
            raise UserError(
                f"found no run in {place}, expected RESULTS/TASK/DATASET, or the folders of runs: main.py makes them"
            )
        for run in runs:
            found.setdefault((run.parent.resolve(), run.name), run)
    return list(found.values())


def main(argv: Sequence[str] | None = None) -> int:
    """Compare the runs, print the table and write it beside them; the exit code is 0, or 2 after one sentence."""
    parser = OneLineParser(
        "python -m utils.tables.tuning",
        "Compare runs of one data set by their validation cases: tuning.csv, tuning.json and tuning.md beside them.",
    )
    parser.add_argument(
        "place", nargs="+", type=Path, metavar="PLACE", help="RESULTS/TASK/DATASET, or folders of runs to compare"
    )
    parser.add_argument("--by", metavar="METRIC", help="sort by this metric (default: auc in cls, c_index in surv)")
    args = parser.parse_args(argv)

    def work() -> None:
        run_dirs = find_runs(args.place)
        compared = compare_runs(run_dirs, by=args.by)
        place = run_dirs[0].parent
        write_comparison(place, compared)
        sys.stdout.write(f"{format_tuning(compared)}\nwrote {place / 'tuning'}.md, .csv and .json\n")

    return exit_code(work, "python -m utils.tables.tuning")


def _read(run_dir: Path) -> _Run:
    record = completed(read_run(run_dir))
    folds = []
    for k, path in fold_files(run_dir, "predictions_val.csv").items():
        place = fold_dir(run_dir, k)
        log, table = log_if_whole(place / "log.csv"), read_predictions(path)
        if task_of(table).name != record["task"]:
            raise UserError(f"{path}: holds predictions of another task than {record['task']}, train the fold again.")
        if log is None or not training_state(place, record["settings"]).at_end:
            continue
        outcomes = place / "outcomes_train.csv"
        known = read_training_outcomes(outcomes) if outcomes.exists() else None
        measured = fold_metrics(table, with_interval=False, outcomes=known)
        best = best_epoch(log)
        loss = log.loc[log["epoch"] == best, "val_loss"]
        row = {"fold": k, "n_val": len(table), **{name: measured[name] for name in TASKS[record["task"]].shown}}
        row |= {LOSS: float(loss.iloc[0]) if len(loss) else None}
        folds.append(row | {"best_epoch": None if best is None else int(best), "n_epochs": len(log)})
    return _Run(run_dir, record, folds)


def _check_comparable(runs: Sequence[_Run]) -> None:
    """All runs are of one task and data set, in one folder, with the same split file for each fold."""
    first = runs[0]
    splits: dict[str, tuple[str, Path]] = {}
    for run in runs:
        for name in ("task", "dataset"):
            if run.record[name] != first.record[name]:
                raise UserError(
                    f"{run.run_dir} is of {name} {run.record[name]}, and {first.run_dir} of {first.record[name]}: "
                    "expected runs of one data set and task"
                )
        if run.run_dir.parent.resolve() != first.run_dir.parent.resolve():
            raise UserError(
                f"{run.run_dir} is in another folder than {first.run_dir}, expected the runs of one folder, which the "
                "comparison is written to: compare the runs of each folder, or train all with one --results_dir"
            )
        for name, digest in run.record["splits"].items():
            known, other = splits.setdefault(name, (digest, run.run_dir))
            if known != digest:
                raise UserError(
                    f"{run.run_dir} and {other} cannot be compared, because their {name} differs: name the runs of the "
                    "same splits, python -m utils.tables.tuning RUN_DIR RUN_DIR ..."
                )


def _row(run: _Run, options: dict[str, Any], metrics: Sequence[str], folds: Sequence[int]) -> dict[str, Any]:
    return {
        "run_name": run.run_dir.name,
        "options": options,
        "folds": run.folds,
        **over_folds(run.folds, metrics),
        "missing_folds": sorted({*folds, *run.record["folds"]} - {fold["fold"] for fold in run.folds}),
        "tested": _tested(run),
    }


def _tested(run: _Run) -> bool:
    """Whether a call that opens the test cases has been made: more epochs remove its predictions, the record stays."""
    calls = [run.record, *run.record.get("resumed", [])]
    opened = any(call.get("settings", {}).get("stage") in ("all", "test") for call in calls)
    return opened or bool(fold_files(run.run_dir, "predictions_test.csv"))


if __name__ == "__main__":
    sys.exit(main())
