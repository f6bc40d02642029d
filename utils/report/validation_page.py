"""The report of another cohort: `report.html` in `RUN_DIR/predict/NAME/`, from its prediction files alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from datasets.folds.split_report import median_follow_up
from utils.files.phrases import counted
from utils.report.charts.calibration_chart import calibration_charts, survival_chart
from utils.report.charts.chart import Chart
from utils.report.charts.confusion_chart import confusion_charts
from utils.report.charts.forest_chart import ForestRow, forest_chart
from utils.report.charts.risk_chart import risk_charts
from utils.report.charts.roc_chart import roc_charts
from utils.report.charts.survival_chart import risk_group_chart
from utils.report.content import (
    Block,
    Bullets,
    Cell,
    Charts,
    Folded,
    Page,
    Section,
    Table,
    Text,
    count,
    number,
    row,
)
from utils.report.page import write_page
from utils.report.sections.anchor_blocks import anchor_blocks
from utils.report.sections.calibration_tables import blocks_of
from utils.report.sections.case_pictures import case_blocks
from utils.report.sections.case_tables import prediction_table
from utils.report.validation_results import Validation, read_validation
from utils.runs.run_plan import MICO
from utils.runs.run_record import model_in_words
from utils.runs.tasks import METRIC_WORDS, SURVIVAL
from utils.statistics.cut_off import divided_with_p
from utils.statistics.roc_band import N_RESAMPLES
from utils.statistics.survival_stats import UndefinedMetricError
from utils.statistics.validation_metrics import NO_EDGES
from utils.tables.below_chance import CHANCE, below_chance, is_below_chance
from utils.tables.interval_text import interval_words
from utils.tables.row_notes import RowNotes
from utils.tables.validation_text import (
    calibration_of_cohort,
    methods,
    metric_rows,
    patient_methods,
    patient_rows,
)

REPORT = "report.html"


def write_validation_report(
    folder: Path, summary: Mapping[str, Any] | None = None, *, n_resamples: int = N_RESAMPLES
) -> Path:
    """Write `folder/report.html`, atomically; returns its path. See `utils.report.validation_results.read_validation`.

    Raises:
        UserError: see `utils.tables.validation.validate`; nothing is written then.
    """
    found = read_validation(folder, summary, n_resamples=n_resamples)
    return write_page(folder / REPORT, validation_page(found, n_resamples=n_resamples))


def validation_page(found: Validation, *, n_resamples: int) -> Page:
    """The content of the report."""
    run = found.record["run"]
    model = model_in_words(run["model"], run["formulation"], run.get("ablate") or ())
    return Page(
        title=f"{found.record['cohort']}: {model} of {run['dataset']}",
        kind=f"External validation of a {found.task.words} run, {run.get('run_name')}",
        verdict=tuple(_verdict(found)),
        sections=tuple(_sections(found, n_resamples)),
    )


def _verdict(found: Validation) -> Iterator[str]:
    metric, summary = found.task.metric, found.summary
    measured = summary["ensemble"]["intervals"][metric]
    n_cases = counted(summary["ensemble"]["n_test"], summary["unit"])
    if measured["value"] is None:
        yield f"{METRIC_WORDS[metric]} of the ensemble is undefined: {measured['reason']}."
        return
    models = counted(len(found.folds), "fold")
    line = f"{METRIC_WORDS[metric]} of the ensemble of {models} {measured['value']:.3f} ({n_cases})"
    if measured["low"] is None:
        yield f"{line}; no 95 % interval: {measured['reason']}."
        return
    yield f"{line}; 95 % interval {interval_words(measured['low'], measured['high'])}."
    if measured["low"] <= CHANCE <= measured["high"]:
        yield f"The interval holds {CHANCE}, the value of chance: this cohort does not show a signal."
    if is_below_chance(measured["low"], measured["high"]):
        yield f"This is {below_chance(found.task)}."


def _sections(found: Validation, n_resamples: int) -> Iterator[Section]:
    warnings = (*found.summary["warnings"], *found.explained.problems)
    shown: Block = Bullets(warnings, kind="warning") if warnings else Text("None.")
    yield Section("warnings", "Warnings", (shown,))
    yield Section("cohort", "Cohort", (_cohort_table(found), Bullets(tuple(_cohort_facts(found)))))
    yield Section("metrics", "Metrics", tuple(_metric_blocks(found)))
    title = "Survival by risk" if found.task == SURVIVAL else "ROC curves"
    yield Section("curves", title, (Charts(_curves(found, n_resamples)),))
    yield Section("calibration", "Calibration and distribution", (Charts(_calibration(found)),))
    if found.explained.explained:
        yield Section("cases", "Where the models look", case_blocks(found.explained))
        if found.record["run"]["model"] == MICO:
            yield Section("anchors", "Anchors", anchor_blocks(found.explained))
    table = prediction_table({0: found.ensemble}, found.words, found.summary["unit"], is_ensemble=True)
    folded = Folded(f"Predictions of the ensemble ({len(found.ensemble)} rows)", (table,))
    yield Section("predictions", "Predictions", (folded,))
    yield Section("provenance", "Provenance", (Bullets(tuple(_provenance(found.record))),))


def _cohort_table(found: Validation) -> Table:
    table = found.ensemble
    facts = [row("patients", count(table["case_id"].nunique()))]
    facts.append(row("slides", count(int(table["slide_ids"].str.count(";").sum()) + len(table))))
    if found.words is None:
        facts.append(row("deaths", count(int(table["event"].sum()))))
        follow_up = median_follow_up(table["time"].to_numpy(), 1 - table["event"].to_numpy())
        shown = number(follow_up, 1) if follow_up is not None else Cell("not reached")
        facts.append(row("median follow-up (months, reverse Kaplan-Meier)", shown))
    else:
        unit = found.summary["unit"]
        for label, name in enumerate(found.words.names):
            facts.append(row(f"{unit}s of class {name}", count(int((table["label"] == label).sum()))))
    return Table("The cases with an outcome", ("what", "how many"), tuple(facts), is_sortable=False)


def _cohort_facts(found: Validation) -> Iterator[str]:
    unit = found.summary["unit"]
    known, predicted = (counted(found.record[name], unit) for name in ("n_known", "n_cases"))
    yield f"{known} with an outcome of {predicted} predicted."
    yield from found.record["notes"]


def _metric_blocks(found: Validation) -> Iterator[Block]:
    yield _metric_table(found)
    if "by_patient" in found.summary:
        patients = found.summary["by_patient"]
        header, of_ensemble = patient_rows(patients)
        notes = tuple(patient_methods(patients))
        yield Table("Metrics of the patients", tuple(header), _cells([of_ensemble]), notes=notes, is_sortable=False)
    yield from blocks_of(calibration_of_cohort(found.summary))
    metric = found.task.metric
    measured = found.summary["ensemble"]["intervals"][metric]
    rows = [
        ForestRow(f"fold {fold['fold']}", fold[metric], fold.get(f"{metric}_low"), fold.get(f"{metric}_high"))
        for fold in found.summary["folds"]
    ]
    rows.append(ForestRow("ensemble", measured["value"], measured["low"], measured["high"], emphasis=True))
    known = [one for one in rows if one.value is not None]
    title = f"{METRIC_WORDS[metric]} of folds and ensemble"
    yield Charts((forest_chart(known, title=title, axis=METRIC_WORDS[metric], reference=CHANCE),))


def _metric_table(found: Validation) -> Table:
    """The table of summary.md; below the models stand mean and deviation over the folds."""
    notes = RowNotes()
    header, *rows = metric_rows(found.summary, notes)
    n_models = 1 + len(found.folds)
    return Table(
        "Metrics of the cohort",
        tuple(header),
        _cells(rows[:n_models]),
        _cells(rows[n_models:]),
        notes=(*methods(found.summary), *(f"{note}." for note in notes.lines())),
        is_sortable=False,
    )


def _cells(rows: Sequence[Sequence[str]]) -> tuple[tuple[Cell, ...], ...]:
    return tuple(row(*cells) for cells in rows)


def _curves(found: Validation, n_resamples: int) -> tuple[Chart, ...]:
    if found.task != SURVIVAL:
        seed = int(found.record["run"].get("seed") or 0)
        more: dict[str, Any] = {"n_resamples": n_resamples, "words": found.words, "is_ensemble": True}
        return tuple(roc_charts({0: found.ensemble}, seed=seed, **more))
    title = "Survival of the groups that the cut-off makes"
    cut_off = (found.record.get("cut_offs") or {}).get("ensemble")
    try:
        groups = divided_with_p(found.ensemble, cut_off)
    except UndefinedMetricError as error:
        return (Chart(title, "", f"No curve: {error}."),)
    rule = f"High: risk of the ensemble >= {cut_off:.4g}, the cut-off of the training cases"
    return (risk_group_chart(groups, title, rule=rule),)


def _calibration(found: Validation) -> tuple[Chart, ...]:
    tables, unit = {0: found.ensemble}, found.summary["unit"]
    if found.task != SURVIVAL:
        shown = tables, found.words, unit
        calibration = calibration_charts(tables, None, *shown[1:], is_ensemble=True)
        return (
            *calibration,
            *confusion_charts(*shown, is_ensemble=True),
            *risk_charts(*shown, is_ensemble=True),
        )
    edges = (found.record.get("inner_edges") or {}).get("ensemble")
    known = {} if edges is None else {0: np.asarray(edges)}
    unknown = {0: NO_EDGES} if edges is None else {}
    charts = risk_charts(tables, None, unit, is_ensemble=True)
    return (survival_chart(tables, known, unknown, is_ensemble=True), *charts)


def _provenance(record: Mapping[str, Any]) -> Iterator[str]:
    run = record["run"]
    git = run.get("git") or {}
    commit = git.get("commit", "not recorded")
    yield f"Run {run.get('run_name')} of {run.get('dataset')}, seed {run.get('seed')}, git commit {commit}."
    yield f"Folds {', '.join(map(str, record['folds']))}; predicted {record.get('started')} (UTC)."
    yield f"Features: SHA-256 {record.get('features')}."
    labels = record.get("labels")
    if labels:
        yield f"Labels: {labels['file']}, SHA-256 {labels.get('labels_sha256')}."
