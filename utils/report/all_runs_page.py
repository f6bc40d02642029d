"""The report over all runs below a results folder: `RESULTS/report.html`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from utils.files.phrases import counted
from utils.report.content import Block, Bullets, Cell, Charts, Folded, Page, Section, Table, Text, number, row
from utils.report.page import write_page
from utils.report.run_folders import RunFolders, read_runs
from utils.report.run_page import REPORT, page_warnings, warning_blocks
from utils.report.run_results import RunResults
from utils.report.sections.cohort_table import cohort_blocks
from utils.report.sections.metric_tables import interval_cell, mean_text, metric_table, pooled_p
from utils.report.sections.model_comparison import (
    Difference,
    adjusted,
    difference_table,
    differences,
    model_forest,
    reference_runs,
    split_difference,
)
from utils.report.sections.run_charts import calibration, learning, outcome_charts
from utils.runs.run_record import DEFAULT_SEED
from utils.runs.tasks import METRIC_WORDS, SURVIVAL, TASKS, TASKS_OF_THE_PAPER
from utils.statistics.metrics import N_RESAMPLES
from utils.tables.summary_text import POOLED_METHOD


def write_all_runs_report(results_dir: Path, *, n_resamples: int = N_RESAMPLES) -> Path:
    """Write `results_dir/report.html`, atomically; returns its path.

    Runs without predictions are listed as unfinished; a damaged one is a sentence among the warnings.

    Raises:
        UserError: there is no run below the folder.
    """
    return write_all_runs_page(read_runs(results_dir, n_resamples=n_resamples), n_resamples=n_resamples)


def write_all_runs_page(folders: RunFolders, *, n_resamples: int) -> Path:
    """Write the report over runs that are read already; returns its path."""
    return write_page(folders.results_dir / REPORT, all_runs_page(folders, n_resamples=n_resamples))


def all_runs_page(folders: RunFolders, *, n_resamples: int) -> Page:
    """The content of the report over all runs."""
    cohorts = folders.cohorts()
    compared = _compared(cohorts, n_resamples)
    sections = [Section("warnings", "Warnings", warning_blocks(tuple(_warnings(folders, cohorts))))]
    if cohorts:
        sections.append(Section("overview", "Overview", tuple(_overview(folders, cohorts))))
    for index, ((task, dataset), runs) in enumerate(cohorts.items()):
        title = f"{dataset}, {TASKS[task].words}"
        blocks = tuple(_cohort_blocks(runs, compared[task, dataset], folders.results_dir, n_resamples))
        sections.append(Section(f"cohort-{index}", title, blocks))
    if folders.unfinished:
        text = "Begun, without test predictions of any fold:"
        names = tuple(_place(run, folders.results_dir) for run in folders.unfinished)
        sections.append(Section("unfinished", "Unfinished runs", (Text(text), Bullets(names))))
    line = f"{counted(len(folders.finished), 'run')} with results in {counted(len(cohorts), 'cohort')}"
    others = [counted(len(folders.unfinished), "unfinished run"), counted(len(folders.damaged), "damaged run")]
    return Page(
        title="All runs",
        kind="Report over the runs of a results folder",
        verdict=(f"{line}; {', '.join(others)}.",),
        sections=tuple(sections),
    )


def _compared(
    cohorts: dict[tuple[str, str], list[RunResults]], n_resamples: int
) -> dict[tuple[str, str], list[Difference]]:
    """The differences of each cohort, with Holm's correction over all cohorts of a task."""
    found = {key: differences(runs, seed=DEFAULT_SEED, n_resamples=n_resamples) for key, runs in cohorts.items()}
    for task in sorted({task for task, _ in found}):
        keys = [key for key in found if key[0] == task]
        family = iter(adjusted([one for key in keys for one in found[key]]))
        found |= {key: [next(family) for _ in found[key]] for key in keys}
    return found


def _warnings(folders: RunFolders, cohorts: dict[tuple[str, str], list[RunResults]]) -> Iterator[str]:
    yield from folders.damaged
    for runs in cohorts.values():
        ours = next(iter(reference_runs(runs)), None)
        for run in runs:
            place = _place(run, folders.results_dir)
            yield from (f"{place}: {text}" for text in page_warnings(run))
            different = split_difference(ours, run) if ours is not None else ""
            if different:
                yield f"{place}: {different}."


def _overview(folders: RunFolders, cohorts: dict[tuple[str, str], list[RunResults]]) -> Iterator[Block]:
    """A table per task with a row per run."""
    for task in TASKS_OF_THE_PAPER:
        metrics = task.compared
        runs = [run for (of, _), cohort in cohorts.items() if of == task.name for run in cohort]
        if not runs:
            continue
        main = METRIC_WORDS[metrics[0]]
        others = [METRIC_WORDS[metric] for metric in metrics[1:]]
        pooled = [f"{METRIC_WORDS['logrank_p']}, folds pooled"] if task == SURVIVAL else []
        yield Table(
            caption=f"{task.words.capitalize()} runs",
            header=("run", "data set", main, f"{main}, 95 % interval", *others, *pooled, "model", "folds", "warnings"),
            rows=tuple(_overview_row(run, metrics, folders.results_dir) for run in runs),
            notes=(
                "mean ± population standard deviation over folds; interval of the mean over folds.",
                *([f"{METRIC_WORDS['logrank_p']}, folds {POOLED_METHOD}"] if pooled else []),
            ),
        )


def _overview_row(run: RunResults, metrics: Sequence[str], results_dir: Path) -> tuple[Cell, ...]:
    summary = run.summary or {}
    means = [Cell(mean_text(summary, metric), summary["mean"][metric]) for metric in metrics]
    n_folds, n_planned = len(run.tables), len({*run.tables, *run.run["folds"]})
    n_warnings = len(list(page_warnings(run)))
    own = run.run_dir / REPORT
    link = quote(own.relative_to(results_dir).as_posix()) if own.exists() else ""
    return row(
        Cell(run.name, href=link),
        str(run.run["dataset"]),
        means[0],
        interval_cell(run.intervals[metrics[0]].overall),
        *means[1:],
        *([pooled_p(summary)] if run.task == SURVIVAL else []),
        run.model,
        Cell(f"{n_folds} of {n_planned}", float(n_folds)),
        number(float(n_warnings), 0),
    )


def _cohort_blocks(
    runs: Sequence[RunResults], compared: Sequence[Difference], results_dir: Path, n_resamples: int
) -> Iterator[Block]:
    """Facts, forest chart, differences, and a folded part per run."""
    ours = next(iter(reference_runs(runs)), None)
    facts = ours or runs[0]
    yield Charts((model_forest(runs, ours),))
    if compared:
        yield difference_table(compared, n_resamples=n_resamples)
    elif ours is None:
        yield Text("No run of MiCo is here to compare the others with.")
    yield Folded(f"Cohort and split, as {facts.name} has them", cohort_blocks(facts))
    for run in runs:
        charts = (*outcome_charts(run), *learning(run), *calibration(run))
        summary = run.summary or {}
        title = f"{run.name}: {METRIC_WORDS[run.metric]} {mean_text(summary, run.metric)}"
        place = Text(f"{run.model}, {_place(run, results_dir)}")
        yield Folded(title, (place, metric_table(run), Charts(charts)))


def _place(run: RunResults, results_dir: Path) -> str:
    return run.run_dir.relative_to(results_dir).as_posix()
