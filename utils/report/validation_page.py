"""The report of another cohort: `report.html` in `RUN_DIR/predict/NAME/`, from its prediction files alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

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
    p_value,
    row,
)
from utils.report.explained_fold import read_explained_fold
from utils.report.page import write_page
from utils.report.run_results import RunResults, read_each
from utils.report.sections.anchor_blocks import anchor_blocks
from utils.report.sections.calibration_tables import blocks_of
from utils.report.sections.case_pictures import case_blocks
from utils.report.sections.case_tables import prediction_table
from utils.report.sections.metric_tables import mean_text
from utils.runs.class_words import ClassWords
from utils.runs.cohort_predictions import read_cohort_predictions
from utils.runs.predictions import output_columns
from utils.runs.run_plan import MICO
from utils.runs.run_record import model_in_words
from utils.runs.tasks import CLASSIFICATION, METRIC_WORDS, SURVIVAL, TASKS, Task
from utils.statistics.cut_off import divided_with_p
from utils.statistics.roc_band import N_RESAMPLES
from utils.statistics.survival_stats import UndefinedMetricError
from utils.statistics.validation_metrics import NO_EDGES
from utils.tables.below_chance import CHANCE, below_chance, is_below_chance
from utils.tables.interval_text import INTERVAL_METHOD, interval_words
from utils.tables.risk_groups_text import hazard_ratio_text
from utils.tables.validation import validate
from utils.tables.validation_text import METHOD, calibration_of_cohort, cut_off_in_words

REPORT = "report.html"
_WORDS = METRIC_WORDS | {"hazard_ratio": "hazard ratio (95 % interval)"}


@dataclass(frozen=True)
class Validation:
    """What the folder of a cohort holds.

    Attributes:
        record: `predict.json`.
        summary: see `utils.tables.validation.validate`.
        ensemble: predictions of the cases with outcomes.
        folds: {fold: its predictions of them}.
        explained: what was explained of the cohort, fold by fold, in the form that the sections of a run's report take.
    """

    record: Mapping[str, Any]
    summary: Mapping[str, Any]
    ensemble: pd.DataFrame
    folds: Mapping[int, pd.DataFrame]
    explained: RunResults

    @property
    def task(self) -> Task:
        """The task of the run."""
        return TASKS[self.record["task"]]

    @property
    def words(self) -> ClassWords | None:
        """The classes in words; None in survival."""
        n_outputs = len(output_columns(self.ensemble))
        return None if self.task == SURVIVAL else ClassWords.of(self.record["run"], n_outputs)


def write_validation_report(
    folder: Path, summary: Mapping[str, Any] | None = None, *, n_resamples: int = N_RESAMPLES
) -> Path:
    """Write `folder/report.html`, atomically; returns its path. `summary` is that of `validate`, where it is known.

    Raises:
        UserError: see `utils.tables.validation.validate`; nothing is written then.
    """
    record, ensemble, folds = read_cohort_predictions(folder)
    summary = validate(folder) if summary is None else summary
    found = Validation(record, summary, ensemble, folds, _explained(folder, record, folds, n_resamples))
    return write_page(folder / REPORT, validation_page(found, n_resamples=n_resamples))


def _explained(
    folder: Path, record: Mapping[str, Any], folds: Mapping[int, pd.DataFrame], n_resamples: int
) -> RunResults:
    problems: list[str] = []
    explained = read_each(folder, "explain/cases.csv", read_explained_fold, problems)
    run = {**record["run"], "settings": {"unit": record["unit"], "ablate": record["run"].get("ablate")}}
    return RunResults(folder, run, None, {}, folds, {}, {}, {}, explained, tuple(problems), n_resamples)


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
    yield f"{line}; 95 % interval {measured['low']:.3f} to {measured['high']:.3f}."
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
    yield Text(METHOD[found.task.name])
    yield Text(INTERVAL_METHOD[found.task.name])
    yield Text("mean ± std: over folds, all of the same cases; population standard deviation.")
    if "by_patient" in found.summary:
        yield _by_patient(found.summary["by_patient"])
    yield from (Text(line) for line in cut_off_in_words(found.summary))
    yield from blocks_of(calibration_of_cohort(found.summary))
    metric = found.task.metric
    measured = found.summary["ensemble"]["intervals"][metric]
    rows = [ForestRow(f"fold {fold['fold']}", fold[metric], None, None) for fold in found.summary["folds"]]
    rows.append(ForestRow("ensemble", measured["value"], measured["low"], measured["high"], emphasis=True))
    known = [one for one in rows if one.value is not None]
    title = f"{METRIC_WORDS[metric]} of folds and ensemble"
    yield Charts((forest_chart(known, title=title, axis=METRIC_WORDS[metric], reference=CHANCE),))


def _metric_table(found: Validation) -> Table:
    shown = found.task.shown
    more = ("hazard_ratio", "logrank_p") if found.task == SURVIVAL else ()
    header = ("model", *(_WORDS[name] for name in (*shown, *more)), f"{METRIC_WORDS[shown[0]]}, 95 % interval")
    of_ensemble = found.summary["ensemble"]
    measured = of_ensemble["intervals"][shown[0]]
    rows = [row("ensemble", *_cells(of_ensemble, shown, more), interval_words(measured["low"], measured["high"]))]
    rows += [row(f"fold {fold['fold']}", *_cells(fold, shown, more), "") for fold in found.summary["folds"]]
    notes = dict.fromkeys(
        f"{METRIC_WORDS[name]} undefined: {reason}."
        for one in (of_ensemble, *found.summary["folds"])
        for name, reason in one["reasons"].items()
        if name in (*shown, *more)
    )
    if measured["value"] is not None and measured["reason"] is not None:
        notes[f"No interval: {measured['reason']}."] = None
    footer = (_mean_row(found, shown, len(more)),) if len(found.folds) > 1 else ()
    return Table("Metrics of the cohort", header, tuple(rows), footer, notes=tuple(notes))


def _by_patient(patients: Mapping[str, Any]) -> Table:
    """The ensemble by patient: the mean of the probabilities of each patient's slides."""
    names, main = CLASSIFICATION.shown, CLASSIFICATION.metric
    header = ("model", "patients", *(METRIC_WORDS[name] for name in names), f"{METRIC_WORDS[main]}, 95 % interval")
    notes = ["By patient: mean of the probabilities of a patient's slides."]
    if patients["left_out"]:
        notes.append(f"Left out, with slides of different labels: {', '.join(patients['left_out'])}.")
    values = (number(patients[name]) for name in names)
    interval = patients["intervals"][main]
    shown = interval_words(interval["low"], interval["high"])
    cells = row("ensemble", count(patients["n_test"]), *values, shown)
    return Table("Metrics of the patients", header, (cells,), notes=tuple(notes))


def _mean_row(found: Validation, names: tuple[str, ...], n_more: int) -> tuple[Cell, ...]:
    summary = found.summary
    means = [Cell(mean_text(summary, name), summary["mean"][name]) for name in names]
    return row("mean ± std of the folds", *means, *[""] * (n_more + 1))


def _cells(values: Mapping[str, Any], shown: tuple[str, ...], more: tuple[str, ...]) -> tuple[Cell, ...]:
    of_groups = (Cell(hazard_ratio_text(values), values["hazard_ratio"]), p_value(values["logrank_p"])) if more else ()
    return (*(number(values[name]) for name in shown), *of_groups)


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
