"""MiCo against every other model and ablation of a plan: paired differences with Holm's correction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from utils.errors import UserError
from utils.files.csv_table import csv_text
from utils.files.phrases import counted
from utils.files.text_table import format_p
from utils.paper.planned_results import PlannedResult, PlannedResults, Variant
from utils.paper.run_plan import MICO
from utils.paper.text import latex_page, markdown_page
from utils.runs.predictions import read_predictions
from utils.runs.run_dir import fold_files
from utils.runs.tasks import METRIC_WORDS, TASKS, TASKS_OF_THE_PAPER
from utils.statistics.holm import holm
from utils.statistics.paired_bootstrap import PairedDifference, paired_difference
from utils.statistics.survival_stats import UndefinedMetricError

NAME = "comparisons"
_IDENTITY = ("task", "dataset", "model", "formulation", "ablate", "n_clusters", "metric")
_NUMBERS = ("difference", "low", "high", "p", "n_cases", "n_folds", "n_seeds", "n_resamples", "n_skipped")
CSV_COLUMNS = (*_IDENTITY, *_NUMBERS[:4], "p_holm", *_NUMBERS[4:], "note", "run_dirs_ours", "run_dirs_other")
_HEADER = ("task", "data set", "metric", "MiCo against", "difference", "95 % interval", "p", "p (Holm)", "based on")


@dataclass(frozen=True)
class Comparison:
    """MiCo minus another model in one cohort; `result` is None where `reason` says why it cannot be made.

    `p_holm` is adjusted within the family: all comparisons of one metric in one task. `n_clusters` is the number of
    anchors of both, None for a cohort without MiCo. `ours` and `other` are the planned folders.
    """

    task: str
    dataset: str
    metric: str
    variant: Variant
    n_clusters: int | None
    result: PairedDifference | None
    reason: str
    p_holm: float | None
    ours: tuple[str, ...]
    other: tuple[str, ...]


def compare_models(results: PlannedResults, *, seed: int, n_resamples: int) -> list[Comparison]:
    """All comparisons of the plan, by family (a metric of a task), then cohort by cohort, then in table order.

    The full MiCo of the tables (main form, number of anchors of the tables) is compared with each other model that the
    plan has in the cohort, MiCo in its other form included, and with each ablation of the main form. Each is
    `utils.statistics.paired_bootstrap.paired_difference` over the seeds and folds that both have, with `seed` and
    `n_resamples`.
    """
    compared = []
    for task in TASKS_OF_THE_PAPER:
        for metric in task.compared:
            family = list(_family(results, task.name, metric, seed=seed, n_resamples=n_resamples))
            adjusted = holm([None if one.result is None else one.result.p for one in family])
            compared += [replace(one, p_holm=p) for one, p in zip(family, adjusted, strict=True)]
    return compared


def comparison_files(comparisons: Sequence[Comparison], *, seed: int, n_resamples: int) -> dict[str, str]:
    """{file name: text} of `comparisons.csv`, `.md` and `.tex`; `seed` and `n_resamples` as in `compare_models`."""
    explanation = (
        f"Difference: MiCo minus the other model on the same test cases, averaged over seeds, then over folds; 95 % "
        f"interval and two-sided p value from {n_resamples} paired bootstrap resamples of the patients of each fold "
        f"(seed {seed}), with the trained models held fixed.",
        "p (Holm) is adjusted for the size of the family: all comparisons of one metric in one task, over all data "
        "sets, other models and ablations; those that cannot be made do not count.",
    )
    rows: list[list[str]] = [list(_HEADER)]
    notes: list[str] = []
    for one in comparisons:
        rows.append(_row(one, notes))
    title = "MiCo against the other models"
    lines = tuple(f"note {number}: {text}" for number, text in enumerate(notes, start=1))
    return {
        f"{NAME}.csv": csv_text(CSV_COLUMNS, map(_csv_line, comparisons)),
        f"{NAME}.md": markdown_page(title, rows, explanation, lines),
        f"{NAME}.tex": latex_page(NAME, title, rows, explanation, lines),
    }


def _family(results: PlannedResults, task: str, metric: str, *, seed: int, n_resamples: int) -> Iterator[Comparison]:
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
                    result = paired_difference(own_tables, _tables(other), metric, seed=seed, n_resamples=n_resamples)
                except (UserError, UndefinedMetricError) as error:
                    reason = str(error)
            folders = {"ours": _folders(ours), "other": _folders(other)}
            anchors = results.n_clusters(task, dataset)
            yield Comparison(task, dataset, metric, variant, anchors, result, reason, p_holm=None, **folders)


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


def _row(one: Comparison, notes: list[str]) -> list[str]:
    """The cells of a line; a reason becomes a footnote in `notes`."""
    labels = [TASKS[one.task].words, one.dataset, METRIC_WORDS[one.metric], one.variant.name]
    result = one.result
    if result is None:
        if one.reason not in notes:
            notes.append(one.reason)
        return [*labels, f"not made (note {notes.index(one.reason) + 1})", "", "", "", ""]
    adjusted = "" if one.p_holm is None else format_p(one.p_holm)
    skipped = f", {result.n_skipped} resamples skipped" if result.n_skipped else ""
    counts = {"fold": result.n_folds, "seed": result.n_seeds, "patient": result.n_cases}
    basis = ", ".join(counted(number, noun) for noun, number in counts.items()) + skipped
    interval = f"{result.low:+.3f} to {result.high:+.3f}"
    return [*labels, f"{result.difference:+.3f}", interval, format_p(result.p), adjusted, basis]


def _csv_line(one: Comparison) -> dict[str, str]:
    result = one.result
    numbers = {name: "" if result is None else repr(getattr(result, name)) for name in _NUMBERS}
    return {
        "task": one.task,
        "dataset": one.dataset,
        "model": one.variant.model,
        "formulation": one.variant.formulation,
        "ablate": one.variant.ablate,
        "n_clusters": "" if one.n_clusters is None else str(one.n_clusters),
        "metric": one.metric,
        **numbers,
        "p_holm": "" if one.p_holm is None else repr(one.p_holm),
        "note": one.reason,
        "run_dirs_ours": ";".join(one.ours),
        "run_dirs_other": ";".join(one.other),
    }
