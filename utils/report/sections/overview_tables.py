"""The tables of the report over all runs: a row per run, or per runs of several seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from utils.report.content import Block, Cell, Table, count, number, row
from utils.report.page_warnings import page_warnings
from utils.report.run_page import REPORT
from utils.report.run_results import RunResults
from utils.report.sections.metric_tables import interval_cell
from utils.report.sections.risk_group_cells import hazard_ratio_cell, released_p_cell, undefined_ratios
from utils.report.seed_pools import Cohorts, SeedPool
from utils.report.validation_metrics import VALIDATION_NOTE, validation_averages, validation_word
from utils.runs.tasks import METRIC_WORDS, SURVIVAL, TASKS_OF_THE_PAPER
from utils.statistics.risk_groups import SHARED_TRAINING
from utils.tables.averages import mean_text
from utils.tables.interval_text import INTERVAL_METHOD
from utils.tables.risk_groups_text import METHOD, POOLED_METHOD, STRATIFIED_METHOD

_GROUP_HEADER = ("hazard ratio of the risk halves (95 % interval)", f"{METRIC_WORDS['logrank_p']}, folds pooled")


def overview_tables(cohorts: Cohorts, results_dir: Path) -> Iterator[Block]:
    """A table per task with a row per run, or per runs of several seeds."""
    for task in TASKS_OF_THE_PAPER:
        pools = [pool for (of, _), cohort in cohorts.items() if of == task.name for pool in cohort]
        if not pools:
            continue
        main, *others = (METRIC_WORDS[metric] for metric in task.compared)
        several = any(len(pool.runs) > 1 for pool in pools)
        groups = _GROUP_HEADER if task == SURVIVAL else ()
        own = (f"{main}, 95 % interval", validation_word(task.metric), *others, *groups)
        header = ("run", "data set", main, *own, "model", *(["seeds"] if several else []), "folds", "warnings")
        seeds = "; of several seeds, the mean over seeds of each fold comes first" if several else ""
        yield Table(
            caption=f"{task.words.capitalize()} runs",
            header=header,
            rows=tuple(_overview_row(pool, results_dir, with_seeds=several) for pool in pools),
            notes=(
                f"mean ± population standard deviation over folds; interval of the mean over folds{seeds}.",
                INTERVAL_METHOD[task.name],
                VALIDATION_NOTE,
                *(_group_notes(pools) if groups else ()),
            ),
        )


def _group_notes(pools: Sequence[SeedPool]) -> Iterator[str]:
    """What hazard ratio and released p are, how far they can be trusted, and why a ratio is undefined."""
    yield f"{METHOD} {STRATIFIED_METHOD}"
    yield f"{METRIC_WORDS['logrank_p']}, folds {POOLED_METHOD}"
    yield SHARED_TRAINING
    if any(len(pool.runs) > 1 for pool in pools):
        yield (
            "Of several seeds: the median of their hazard ratios and of each limit, and the median of their p values, "
            "each with the range over seeds."
        )
    for pool in pools:
        yield from undefined_ratios(pool)


def seed_table(pool: SeedPool, results_dir: Path) -> Table:
    """A row per seed."""
    metrics = pool.task.compared
    main, *others = (METRIC_WORDS[metric] for metric in metrics)
    rows = []
    for run in pool.runs:
        measured = [_mean_cell(run.summary or {}, metric) for metric in metrics]
        validation = _mean_cell(validation_averages([run]), pool.metric)
        named = Cell(run.name, href=_link(run, results_dir))
        rows.append((named, count(run.run["seed"]), measured[0], validation, *measured[1:]))
    header = ("run", "seed", main, validation_word(pool.metric), *others)
    return Table(
        "The runs of each seed", header, tuple(rows), notes=("mean ± population standard deviation over folds.",)
    )


def _overview_row(pool: SeedPool, results_dir: Path, *, with_seeds: bool) -> tuple[Cell, ...]:
    main, *others = (_mean_cell(pool.averages, metric) for metric in pool.task.compared)
    n_folds = sum(len(run.tables) for run in pool.runs)
    n_planned = sum(len({*run.tables, *run.run["folds"]}) for run in pool.runs)
    n_warnings = len({text for run in pool.runs for text in page_warnings(run)})
    return row(
        Cell(pool.name, href=_link(pool.first, results_dir) if len(pool.runs) == 1 else ""),
        str(pool.first.run["dataset"]),
        main,
        interval_cell(pool.interval),
        _mean_cell(pool.validation, pool.metric),
        *others,
        *([hazard_ratio_cell(pool), released_p_cell(pool)] if pool.task == SURVIVAL else []),
        pool.model,
        *([count(len(pool.runs))] if with_seeds else []),
        Cell(f"{n_folds} of {n_planned}", float(n_folds)),
        number(float(n_warnings), 0),
    )


def _mean_cell(averages: Mapping[str, Mapping[str, Any]], metric: str) -> Cell:
    return Cell(mean_text(averages, metric), averages["mean"][metric])


def _link(run: RunResults, results_dir: Path) -> str:
    """The address of the run's own report from this page on; empty where there is none."""
    own = run.run_dir / REPORT
    return quote(own.relative_to(results_dir).as_posix()) if own.exists() else ""
