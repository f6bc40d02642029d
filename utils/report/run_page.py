"""The report of one run: `report.html` beside its `summary.md`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from utils.report.content import Block, Charts, Folded, Page, Section
from utils.report.page import write_page
from utils.report.page_warnings import page_warnings, warning_blocks
from utils.report.run_results import RunResults, read_results
from utils.report.sections.anchor_blocks import anchor_blocks
from utils.report.sections.calibration_tables import calibration_blocks
from utils.report.sections.case_pictures import case_blocks
from utils.report.sections.case_tables import prediction_table
from utils.report.sections.clinical_tables import clinical_blocks
from utils.report.sections.cohort_table import cohort_blocks
from utils.report.sections.metric_tables import metric_forest, metric_table, verdict
from utils.report.sections.patient_table import patient_table
from utils.report.sections.risk_group_table import risk_group_table
from utils.report.sections.run_charts import calibration, distributions, learning, outcome_charts
from utils.report.sections.settings_tables import settings_blocks
from utils.runs.run_plan import MICO
from utils.runs.tasks import SURVIVAL
from utils.statistics.roc_band import N_RESAMPLES

REPORT = "report.html"


def write_run_report(
    run_dir: Path, summary: Mapping[str, Any] | None = None, *, n_resamples: int = N_RESAMPLES
) -> Path:
    """Write `run_dir/report.html`, atomically; returns its path.

    Everything comes from the files of the run, no model is loaded. What is not there yet (predictions of the test
    cases, explanations) is left out and said. `summary` is that of `utils.tables.summary.summarise`, where it is known.

    Raises:
        UserError: see `utils.report.run_results.read_results`; nothing is written then.
    """
    return write_page(run_dir / REPORT, run_page(read_results(run_dir, summary, n_resamples=n_resamples)))


def run_page(results: RunResults) -> Page:
    """The content of a run's report."""
    return Page(
        title=f"{results.run['dataset']}: {results.model}",
        kind=f"Report of a {results.task.words} run, {results.name}",
        verdict=verdict(results),
        sections=tuple(_sections(results)),
    )


def _sections(results: RunResults) -> Iterator[Section]:
    yield Section("warnings", "Warnings", warning_blocks(page_warnings(results)))
    yield Section("cohort", "Cohort and split", cohort_blocks(results))
    if results.tables:
        by_patient = patient_table(results)
        metrics: tuple[Block, ...] = (metric_table(results), *([by_patient] if by_patient else []))
        if results.summary is not None and results.task == SURVIVAL:
            metrics += (risk_group_table(results.summary),)
        metrics += (Charts((metric_forest(results),)), *calibration_blocks(results.summary or {}))
        yield Section("metrics", "Metrics", metrics)
        curves = "Survival of the risk halves" if results.task == SURVIVAL else "ROC curves"
        yield Section("curves", curves, (Charts(outcome_charts(results)),))
        yield Section(
            "calibration", "Calibration and distribution", (Charts((*calibration(results), *distributions(results))),)
        )
    if results.clinical is not None:
        yield Section("clinical", "Clinical covariates", clinical_blocks(results.clinical))
    if results.logs:
        yield Section("learning", "Learning curves", (Charts(learning(results)),))
    if results.tables:
        yield Section("cases", "Where the model looks", case_blocks(results))
        if results.run["model"] == MICO:  # no other model has any
            yield Section("anchors", "Anchors", anchor_blocks(results))
        table = prediction_table(results.tables, results.classes, results.unit)
        folded = Folded(f"Predictions ({len(table.rows)} rows)", (table,))
        yield Section("predictions", f"Predictions of the test {results.unit}s", (folded,))
    yield Section("settings", "Settings and provenance", settings_blocks(results.run))
