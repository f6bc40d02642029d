"""MiCo against every other model and ablation of a plan: paired differences with Holm's correction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from utils.errors import UserError
from utils.files.csv_table import csv_text
from utils.files.phrases import listed
from utils.files.text_table import format_difference, format_p
from utils.paper.grids import Footnotes
from utils.paper.planned_results import PlannedResult, PlannedResults, Variant
from utils.paper.text import latex_page, markdown_page
from utils.runs.predictions import read_predictions
from utils.runs.run_dir import fold_files
from utils.runs.run_plan import MICO
from utils.runs.tasks import METRIC_WORDS, TASKS, TASKS_OF_THE_PAPER
from utils.statistics.holm import holm
from utils.statistics.paired_difference import PairedDifference, paired_difference
from utils.statistics.survival_stats import UndefinedMetricError
from utils.tables.difference_text import METHOD, basis_text, interval_text, spread_text

NAME = "comparisons"
_IDENTITY = ("task", "dataset", "model", "formulation", "ablate", "n_clusters", "metric")
_NUMBERS = ("difference", "low", "high", "p", "ours", "other", "standard_error", "degrees")
_COUNTS = ("n_cases", "n_folds", "n_seeds", "n_pairs")
_SPREAD = ("lowest_of_seeds", "highest_of_seeds")
CSV_COLUMNS = (
    *(*_IDENTITY, *_NUMBERS[:4], "p_holm", *_NUMBERS[4:], *_SPREAD, *_COUNTS, "n_comparisons"),
    *("note", "run_dirs_ours", "run_dirs_other"),
)
_HEADER = (
    *("task", "data set", "metric", "MiCo against", "difference", "by seed", "95 % interval", "p", "p (Holm)"),
    "based on",
)


@dataclass(frozen=True)
class Comparison:
    """MiCo minus another model in one cohort; `result` is None where `reason` says why it cannot be made.

    `p_holm` is adjusted within the family, the `n_comparisons` with a p value of one metric in one task. `n_clusters`
    is the number of anchors of both, None for a cohort without MiCo. `ours` and `other` are the planned folders.
    """

    task: str
    dataset: str
    metric: str
    variant: Variant
    n_clusters: int | None
    result: PairedDifference | None
    reason: str
    p_holm: float | None
    n_comparisons: int
    ours: tuple[str, ...]
    other: tuple[str, ...]


def compare_models(results: PlannedResults) -> list[Comparison]:
    """All comparisons of the plan, by family (a metric of a task), then cohort by cohort, then in table order.

    The full MiCo of the tables (main form, number of anchors of the tables) is compared with each other model that the
    plan has in the cohort, MiCo in its other form included, and with each ablation of the main form. Each is
    `utils.statistics.paired_difference.paired_difference` over the seeds and folds that both have.
    """
    compared = []
    for task in TASKS_OF_THE_PAPER:
        for metric in task.compared:
            family = list(_family(results, task.name, metric))
            adjusted = holm([None if one.result is None else one.result.p for one in family])
            n = sum(p is not None for p in adjusted)
            compared += [replace(one, p_holm=p, n_comparisons=n) for one, p in zip(family, adjusted, strict=True)]
    return compared


def comparison_files(comparisons: Sequence[Comparison]) -> dict[str, str]:
    """{file name: text} of `comparisons.csv`, `.md` and `.tex`."""
    sizes = {(one.task, one.metric): one.n_comparisons for one in comparisons if one.n_comparisons}
    families = [f"{n} of {METRIC_WORDS[metric]} ({TASKS[task].words})" for (task, metric), n in sizes.items()]
    explanation = (
        *METHOD,
        "p (Holm) is adjusted for the size of the family: all comparisons of one metric in one task, over all data "
        "sets, other models and ablations; those without p do not count"
        + (f". Here: {listed(families)}." if families else "."),
    )
    notes = Footnotes()
    rows = [list(_HEADER), *(_row(one, notes) for one in comparisons)]
    title, lines = "MiCo against the other models", notes.lines()
    return {
        f"{NAME}.csv": csv_text(CSV_COLUMNS, map(_csv_line, comparisons)),
        f"{NAME}.md": markdown_page(title, rows, explanation, lines),
        f"{NAME}.tex": latex_page(NAME, title, rows, explanation, lines),
    }


def _family(results: PlannedResults, task: str, metric: str) -> Iterator[Comparison]:
    """The comparisons of one metric, without Holm's adjustment."""
    mico = Variant(MICO, results.main_formulation())
    ablations = [variant for variant in results.ablations() if variant.ablate and variant[:2] == mico[:2]]
    for dataset in results.cohorts(task):
        ours = results.of(task, dataset, mico)
        own_tables = _tables(ours)
        for variant in [*results.models(task), *ablations]:
            other = results.of(task, dataset, variant)
            if variant == mico or not other:
                continue
            result, reason = None, _cannot(ours, other, variant)
            if not reason:
                try:
                    result = paired_difference(own_tables, _tables(other), metric)
                except (UserError, UndefinedMetricError) as error:
                    reason = str(error)
            anchors, folders = results.n_clusters(task, dataset), (_folders(ours), _folders(other))
            yield Comparison(task, dataset, metric, variant, anchors, result, reason, None, 0, *folders)


def _cannot(ours: Sequence[PlannedResult], other: Sequence[PlannedResult], variant: Variant) -> str:
    """Why there is nothing to compare, empty if there is."""
    if not ours:
        return "the plan has no MiCo run of this data set"
    lacking = [name for name, runs in (("MiCo", ours), (variant.name, other)) if not any(run.summary for run in runs)]
    return f"no results yet of {' and of '.join(lacking)}" if lacking else ""


def _tables(runs: Sequence[PlannedResult]) -> dict[tuple[int, int], pd.DataFrame]:
    """{(seed, fold): predictions} of the test folds that are there."""
    return {
        (run.planned.seed, fold): read_predictions(path)
        for run in runs
        for fold, path in fold_files(run.planned.path, "predictions_test.csv").items()
    }


def _folders(runs: Sequence[PlannedResult]) -> tuple[str, ...]:
    return tuple(run.planned.run_dir for run in runs)


def _row(one: Comparison, notes: Footnotes) -> list[str]:
    """The cells of a line; reasons become footnotes in `notes`."""
    labels = [TASKS[one.task].words, one.dataset, METRIC_WORDS[one.metric], one.variant.name]
    result = one.result
    if result is None:
        return [*labels, f"not made (note {notes.number(one.reason)})", *[""] * 5]
    note = "" if result.reason is None else f"– (note {notes.number(result.reason)})"
    return [
        *labels,
        format_difference(result.difference),
        spread_text(result),
        note if result.low is None else interval_text(result),
        note if result.p is None else format_p(result.p),
        "" if one.p_holm is None else format_p(one.p_holm),
        basis_text(result) + "".join(f"; without fold {fold} ({why})" for fold, why in result.left_out.items()),
    ]


def _csv_line(one: Comparison) -> dict[str, str]:
    result = one.result
    found = {} if result is None else {name: getattr(result, name) for name in (*_NUMBERS, *_COUNTS)}
    if result is not None:
        found |= dict(zip(_SPREAD, (min(result.by_seed.values()), max(result.by_seed.values())), strict=True))
        found["n_comparisons"] = one.n_comparisons
    numbers = {name: "" if value is None else repr(value) for name, value in found.items()}
    return {
        "task": one.task,
        "dataset": one.dataset,
        "model": one.variant.model,
        "formulation": one.variant.formulation,
        "ablate": one.variant.ablate,
        "n_clusters": "" if one.n_clusters is None else str(one.n_clusters),
        "metric": one.metric,
        **dict.fromkeys((*_NUMBERS, *_SPREAD, *_COUNTS, "n_comparisons"), ""),
        **numbers,
        "p_holm": "" if one.p_holm is None else repr(one.p_holm),
        "note": "; ".join(_remarks(one)),
        "run_dirs_ours": ";".join(one.ours),
        "run_dirs_other": ";".join(one.other),
    }


def _remarks(one: Comparison) -> Iterator[str]:
    """What the line lacks."""
    if one.reason:
        yield one.reason
    if one.result is not None:
        yield from [one.result.reason] if one.result.reason else []
        yield from (f"without fold {fold}: {why}" for fold, why in one.result.left_out.items())
