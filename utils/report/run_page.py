"""The report of one run: `report.html` beside its `summary.md`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from utils.files.phrases import counted
from utils.paper.run_plan import MICO
from utils.report.content import Block, Bullets, Charts, Folded, Page, Section, Text
from utils.report.page import write_page
from utils.report.run_results import RunResults, read_results, relative_to
from utils.report.sections.anchor_blocks import anchor_blocks
from utils.report.sections.case_pictures import case_blocks
from utils.report.sections.case_tables import prediction_table
from utils.report.sections.cohort_table import cohort_blocks
from utils.report.sections.metric_tables import metric_forest, metric_table, reasons_in_words, verdict
from utils.report.sections.run_charts import calibration, distributions, learning, outcome_charts
from utils.report.sections.settings_tables import settings_blocks
from utils.runs.run_record import folds_left_out
from utils.runs.tasks import METRIC_WORDS, SURVIVAL
from utils.statistics.metrics import N_RESAMPLES
from utils.tables.fold_warnings import fold_warnings, merged

REPORT = "report.html"
MAX_WARNINGS = 12  # shown at once


def write_run_report(run_dir: Path, *, n_resamples: int = N_RESAMPLES) -> Path:
    """Write `run_dir/report.html`, atomically; returns its path.

    Everything comes from the files of the run, no model is loaded. What is not there yet (predictions of the test
    cases, explanations) is left out and said.

    Raises:
        UserError: see `utils.report.run_results.read_results`; nothing is written then.
    """
    return write_page(run_dir / REPORT, run_page(read_results(run_dir, n_resamples=n_resamples)))


def run_page(results: RunResults) -> Page:
    """The content of a run's report."""
    return Page(
        title=f"{results.run['dataset']}: {results.model}",
        kind=f"Report of a {results.task.words} run, {results.name}",
        verdict=verdict(results),
        sections=tuple(_sections(results)),
    )


def page_warnings(results: RunResults) -> Iterator[str]:
    """What a reader should know before the numbers: recorded warnings, doubtful and missing folds, what is lacking."""
    yield from (" ".join(str(text).split()) for text in results.run["warnings"])
    yield from merged(dict(_fold_warnings(results)))
    if left_out := folds_left_out(results.run):
        yield f"{left_out}."
    missing = sorted(set(results.run["folds"]) - set(results.tables))
    yield from (f"Fold {fold} is missing: it has no test predictions yet." for fold in missing)
    if results.summary is not None:
        reasons = reasons_in_words(results.summary, results.metric)
        if reasons:
            yield f"{METRIC_WORDS[results.metric]} is undefined: {reasons}."
    yield from results.problems
    for explained in results.explained.values():
        yield from (f"Left out: {relative_to(results.run_dir, error)}" for error in explained.problems)


def _fold_warnings(results: RunResults) -> Iterator[tuple[int, list[str]]]:
    """Of each fold that is trained, by its test cases, or by its validation cases where they are not opened yet."""
    tested = {} if results.summary is None else {row["fold"]: row["warnings"] for row in results.summary["folds"]}
    for fold in sorted({*tested, *results.validation}):
        if fold in tested:
            yield fold, tested[fold]
        else:
            yield fold, fold_warnings(results.run, results.logs.get(fold), results.validation[fold], "validation")


def warning_blocks(warnings: Sequence[str]) -> tuple[Block, ...]:
    """The list of warnings, its end folded where it is long, or the sentence that there are none."""
    if not warnings:
        return (Text("None."),)
    shown: tuple[Block, ...] = (Bullets(tuple(warnings[:MAX_WARNINGS]), kind="warning"),)
    more = tuple(warnings[MAX_WARNINGS:])
    return (*shown, Folded(counted(len(more), "more warning"), (Bullets(more, kind="warning"),))) if more else shown


def _sections(results: RunResults) -> Iterator[Section]:
    yield Section("warnings", "Warnings", warning_blocks(tuple(page_warnings(results))))
    yield Section("cohort", "Cohort and split", cohort_blocks(results))
    if results.tables:
        metrics: tuple[Block, ...] = (metric_table(results), Charts((metric_forest(results),)))
        yield Section("metrics", "Metrics", metrics)
        curves = "Survival of the risk halves" if results.task == SURVIVAL else "ROC curves"
        yield Section("curves", curves, (Charts(outcome_charts(results)),))
        yield Section(
            "calibration", "Calibration and distribution", (Charts((*calibration(results), *distributions(results))),)
        )
    if results.logs:
        yield Section("learning", "Learning curves", (Charts(learning(results)),))
    if results.tables:
        yield Section("cases", "Where the model looks", case_blocks(results))
        if results.run["model"] == MICO:  # no other model has any
            yield Section("anchors", "Anchors", anchor_blocks(results))
        table = prediction_table(results.tables)
        folded = Folded(f"Predictions ({len(table.rows)} rows)", (table,))
        yield Section("predictions", f"Predictions of the test {results.task.unit}s", (folded,))
    yield Section("settings", "Settings and provenance", settings_blocks(results.run))
