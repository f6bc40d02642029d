"""The metrics of a run in its report: one-line verdict, table of the folds, forest chart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from utils.files.phrases import counted, numbered
from utils.report.charts.chart import Chart
from utils.report.charts.forest_chart import ForestRow, forest_chart
from utils.report.content import Cell, Table, count, number, p_value, row
from utils.report.run_results import RunResults
from utils.report.validation_metrics import VALIDATION_NOTE, validation_averages, validation_metric, validation_word
from utils.runs.tasks import METRIC_WORDS, SURVIVAL
from utils.statistics.interval import Interval
from utils.tables.averages import cases_in_words, mean_and_deviation, mean_text
from utils.tables.below_chance import CHANCE, below_chance, is_below_chance
from utils.tables.concordance_text import concordance_within_folds
from utils.tables.interval_text import INTERVAL_METHOD, interval_words, without_interval
from utils.tables.summary_text import METHOD, of_present_folds


def interval_cell(interval: Interval | None) -> Cell:
    """An interval, sorted by its lower end."""
    low, high = (None, None) if interval is None else (interval.low, interval.high)
    return Cell(interval_words(low, high), low)


def verdict(results: RunResults) -> tuple[str, ...]:
    """The result of a run in one line, and what its interval says about chance."""
    summary = results.summary
    if summary is None:
        return ("No test predictions yet: the run is trained in part, or its test stage has not been run.",)
    word, overall = METRIC_WORDS[results.metric], results.intervals[results.metric].overall
    n_folds = summary["n_defined"][results.metric]
    if n_folds == 0:
        return (f"{word} is undefined in every fold: {reasons_in_words(summary, results.metric)}.",)
    n_planned, noun = len(summary["folds"]) + len(summary["missing_folds"]), results.unit
    spread = "mean ± population standard deviation over " if n_folds > 1 else ""
    of_folds = counted(n_folds, "fold") if n_folds == n_planned else f"{n_folds} of {counted(n_planned, 'fold')}"
    cases = cases_in_words(summary, results.metric)
    line = f"{word} {mean_and_deviation(summary, results.metric)} ({spread}{of_folds}, {cases})"
    if overall.low is None or overall.high is None:
        return (f"{line}; no 95 % interval: {overall.reason}.",)
    line += f"; 95 % interval of the mean {interval_words(overall.low, overall.high)}."
    if overall.low <= CHANCE <= overall.high:
        return (line, f"The interval holds {CHANCE}, the value of chance: these test {noun}s do not show a signal.")
    if is_below_chance(overall.low, overall.high):
        return (line, f"This is {below_chance(results.task, of_mean=True)}.")
    return (line,)


def reasons_in_words(summary: Mapping[str, Any], metric: str) -> str:
    """Why a metric is undefined, fold by fold with the same reason together."""
    folds_of: dict[str, list[int]] = {}
    for fold in summary["folds"]:
        if metric in fold["reasons"]:
            folds_of.setdefault(fold["reasons"][metric], []).append(fold["fold"])
    return "; ".join(f"{reason} ({numbered('fold', folds)})" for reason, folds in folds_of.items())


def metric_table(results: RunResults) -> Table:
    """A row per fold, missing ones included; below them mean ± deviation, and the interval of the mean."""
    summary, metrics = results.summary, results.task.shown
    if summary is None:
        raise ValueError(f"{results.run_dir}: expected a run with test predictions")
    survival = results.task == SURVIVAL
    header = ["fold", f"test {results.unit}s", *([METRIC_WORDS["n_events"]] if survival else [])]
    for metric in metrics:
        header += [METRIC_WORDS[metric], *(["95 % interval"] if metric in results.intervals else [])]
        if metric == "c_index":
            header.append(METRIC_WORDS["logrank_p"])
        if metric == results.metric and results.validation:
            header.append(validation_word(metric))
    missing = [row(str(fold), "missing", *[""] * (len(header) - 2)) for fold in summary["missing_folds"]]
    folds = [tuple(_fold_cells(results, fold, metrics)) for fold in summary["folds"]]
    return Table(
        caption=f"Metrics of the test {results.unit}s, fold by fold",
        header=tuple(header),
        rows=(*folds, *missing),
        footer=(tuple(_mean_cells(results, metrics)),),
        notes=tuple(_notes(results)),
    )


def _fold_cells(results: RunResults, fold: dict[str, Any], metrics: tuple[str, ...]) -> Iterator[Cell]:
    yield Cell(str(fold["fold"]), float(fold["fold"]))
    yield count(fold["n_test"])
    if results.task == SURVIVAL:
        yield count(fold["n_events"])
    for metric in metrics:
        yield number(fold[metric])
        if metric in results.intervals:
            yield interval_cell(results.intervals[metric].per_fold.get(fold["fold"]))
        if metric == "c_index":
            yield p_value(fold["logrank_p"])
        if metric == results.metric and results.validation:
            yield number(validation_metric(results, fold["fold"]))


def _mean_cells(results: RunResults, metrics: tuple[str, ...]) -> Iterator[Cell]:
    summary: Any = results.summary
    yield from row("mean ± std", of_present_folds(summary))
    if results.task == SURVIVAL:
        yield Cell(f"{summary['mean']['n_events']:.1f}")
    for metric in metrics:
        yield Cell(mean_text(summary, metric))
        if metric in results.intervals:
            yield interval_cell(results.intervals[metric].overall)
        if metric == "c_index":
            yield Cell("")  # a mean of p values says nothing
        if metric == results.metric and results.validation:
            yield Cell(mean_text(validation_averages([results]), metric))


def _classification_metrics(results: RunResults) -> str:
    words = results.classes
    auc = "the mean over classes, each against the rest" if len(words.names) > 2 else f"of {words.full(1)}"
    return f"Macro F1 over the classes among labels or predictions; AUC: {auc}."


def _notes(results: RunResults) -> Iterator[str]:
    summary: Any = results.summary
    yield METHOD[SURVIVAL.name] if results.task == SURVIVAL else _classification_metrics(results)
    if results.validation:
        yield VALIDATION_NOTE
    yield f"{INTERVAL_METHOD[results.task.name]} In the row of the mean stands the interval of the mean over folds."
    yield from (f"{text}." for text in without_interval(results.intervals))
    yield _deviations(summary, results.task.shown)
    if within := concordance_within_folds(summary):
        yield within
    for metric in results.task.shown:
        reason = reasons_in_words(summary, metric)
        if reason:
            yield f"{METRIC_WORDS[metric]} undefined: {reason}."
    if results.task == SURVIVAL and reasons_in_words(summary, "logrank_p"):
        yield f"{METRIC_WORDS['logrank_p']} undefined: {reasons_in_words(summary, 'logrank_p')}."


def _deviations(summary: Mapping[str, Any], metrics: tuple[str, ...]) -> str:
    """Which standard deviation stands at ±, and the other one, which one fold does not have."""
    known = {metric: summary["sample_std"][metric] for metric in metrics if summary["sample_std"][metric] is not None}
    samples = ", ".join(f"{METRIC_WORDS[metric]} {value:.3f}" for metric, value in known.items())
    sample = f" The sample standard deviation (divided by n - 1): {samples}." if known else ""
    return f"std: population standard deviation over folds (divided by their number n).{sample}"


def metric_forest(results: RunResults) -> Chart:
    """The main metric of each fold and over all, with its intervals."""
    measured, word = results.intervals[results.metric], METRIC_WORDS[results.metric]
    rows = [
        ForestRow(f"fold {fold}", interval.value, interval.low, interval.high)
        for fold, interval in measured.per_fold.items()
        if interval is not None and interval.value is not None
    ]
    overall = measured.overall
    if overall is not None and overall.value is not None:
        rows.append(ForestRow("mean", overall.value, overall.low, overall.high, emphasis=True))
    return forest_chart(rows, title=f"{word} with 95 % intervals", axis=word, reference=CHANCE)
