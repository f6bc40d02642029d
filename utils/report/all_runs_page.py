"""The report over all runs below a results folder: `RESULTS/report.html`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from utils.files.phrases import counted
from utils.report.content import (
    Block,
    Bullets,
    Charts,
    Folded,
    Page,
    Section,
    Text,
)
from utils.report.page import write_page
from utils.report.page_warnings import shared_warnings, warning_blocks
from utils.report.run_folders import RunFolders, read_runs
from utils.report.run_page import REPORT
from utils.report.run_results import RunResults
from utils.report.sections.calibration_tables import calibration_blocks
from utils.report.sections.cohort_table import cohort_blocks
from utils.report.sections.metric_tables import metric_table
from utils.report.sections.model_comparison import (
    Difference,
    adjusted,
    difference_table,
    differences,
    model_forest,
    reference_pools,
    split_difference,
)
from utils.report.sections.option_table import option_table
from utils.report.sections.overview_tables import overview_tables, seed_table
from utils.report.sections.risk_group_table import risk_group_table
from utils.report.sections.run_charts import calibration, learning, outcome_charts
from utils.report.seed_pools import Cohorts, SeedPool, seed_pools
from utils.runs.tasks import METRIC_WORDS, TASKS
from utils.statistics.roc_band import N_RESAMPLES
from utils.tables.averages import mean_text


def write_all_runs_report(results_dir: Path, *, n_resamples: int = N_RESAMPLES) -> Path:
    """Write `results_dir/report.html`, atomically; returns its path.

    Runs whose test cases are not opened are listed apart; a damaged one is a sentence among the warnings.

    Raises:
        UserError: there is no run below the folder.
    """
    return write_all_runs_page(read_runs(results_dir, n_resamples=n_resamples), n_resamples=n_resamples)


def write_all_runs_page(folders: RunFolders, *, n_resamples: int) -> Path:
    """Write the report over runs that are read already; returns its path."""
    return write_page(folders.results_dir / REPORT, all_runs_page(folders, n_resamples=n_resamples))


def all_runs_page(folders: RunFolders, *, n_resamples: int) -> Page:
    """The content of the report over all runs; runs that differ by their seed only stand together."""
    cohorts = {key: seed_pools(runs) for key, runs in folders.cohorts().items()}
    compared = _compared(cohorts)
    sections = [Section("warnings", "Warnings", warning_blocks(tuple(_warnings(folders, cohorts))))]
    if cohorts:
        sections.append(Section("overview", "Overview", tuple(overview_tables(cohorts, folders.results_dir))))
    for index, ((task, dataset), pools) in enumerate(cohorts.items()):
        title = f"{dataset}, {TASKS[task].words}"
        untested = seed_pools(folders.untested().get((task, dataset), []))
        blocks = tuple(_cohort_blocks(pools, untested, compared[task, dataset], folders.results_dir))
        sections.append(Section(f"cohort-{index}", title, blocks))
    if folders.unfinished:
        sections.append(Section("unfinished", "Runs without test predictions", tuple(_unfinished(folders, cohorts))))
    line = f"{counted(len(folders.finished), 'run')} with results in {counted(len(cohorts), 'cohort')}"
    n_untested = len(folders.unfinished)
    others = [f"{counted(n_untested, 'run')} without test predictions", counted(len(folders.damaged), "damaged run")]
    return Page(
        title="All runs",
        kind="Report over the runs of a results folder",
        verdict=(f"{line}; {', '.join(others)}.",),
        sections=tuple(sections),
    )


def _compared(cohorts: Cohorts) -> dict[tuple[str, str], list[Difference]]:
    """The differences of each cohort, with Holm's correction over all cohorts of a task."""
    found = {key: differences(pools) for key, pools in cohorts.items()}
    for task in sorted({task for task, _ in found}):
        keys = [key for key in found if key[0] == task]
        family = iter(adjusted([one for key in keys for one in found[key]]))
        found |= {key: [next(family) for _ in found[key]] for key in keys}
    return found


def _warnings(folders: RunFolders, cohorts: Cohorts) -> Iterator[str]:
    yield from folders.damaged
    yield from shared_warnings([(_place(run, folders.results_dir), run) for run in folders.finished])
    for pools in cohorts.values():
        ours = next(iter(reference_pools(pools)), None)
        for run in (run for pool in pools for run in pool.runs):
            different = split_difference(ours.first, run) if ours is not None else ""
            if different:
                yield f"{_place(run, folders.results_dir)}: {different}."


def _cohort_blocks(
    pools: Sequence[SeedPool],
    untested: Sequence[SeedPool],
    compared: Sequence[Difference],
    results_dir: Path,
) -> Iterator[Block]:
    """Facts, forest chart, differences, options, and a folded part per run or runs of several seeds."""
    ours = next(iter(reference_pools(pools)), None)
    facts = (ours or pools[0]).first
    yield Charts((model_forest(pools, ours),))
    if compared:
        yield difference_table(compared)
    elif ours is None:
        yield Text("No run of MiCo is here to compare the others with.")
    options = option_table([*pools, *untested])
    if options is not None:
        yield options
    yield Folded(f"Cohort and split, as {facts.name} has them", cohort_blocks(facts))
    for pool in pools:
        title = f"{pool.name}: {METRIC_WORDS[pool.metric]} {mean_text(pool.averages, pool.metric)}"
        parts = [_run_blocks(run, results_dir) for run in pool.runs]
        if len(parts) == 1:
            yield Folded(title, parts[0])
        else:
            runs = [Folded(_run_title(run), blocks) for run, blocks in zip(pool.runs, parts, strict=True)]
            yield Folded(title, (seed_table(pool, results_dir), *runs))


def _unfinished(folders: RunFolders, cohorts: Cohorts) -> Iterator[Block]:
    """Where the runs without test predictions are, and what differs between those of a cohort that has no others."""
    yield Text("Not finished yet, or trained without opening the test cases, as tune.sh does:")
    yield Bullets(tuple(_place(run, folders.results_dir) for run in folders.unfinished))
    for key, runs in folders.untested().items():
        options = None if key in cohorts else option_table(seed_pools(runs))
        if options is not None:
            task, dataset = key
            yield replace(options, caption=f"{options.caption} of {dataset}, {TASKS[task].words}")


def _run_blocks(run: RunResults, results_dir: Path) -> tuple[Block, ...]:
    charts = (*outcome_charts(run), *learning(run), *calibration(run))
    line, summary = Text(f"{run.model}, {_place(run, results_dir)}"), run.summary or {}
    groups = [risk_group_table(summary)] if "risk_groups" in summary else []
    return (line, metric_table(run), *groups, *calibration_blocks(summary), Charts(charts))


def _run_title(run: RunResults) -> str:
    return f"{run.name}: {METRIC_WORDS[run.metric]} {mean_text(run.summary or {}, run.metric)}"


def _place(run: RunResults, results_dir: Path) -> str:
    return run.run_dir.relative_to(results_dir).as_posix()
