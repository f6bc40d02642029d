"""The metrics of patients, where a run classified slides and a patient has several of them."""

from __future__ import annotations

from utils.files.phrases import counted
from utils.report.content import Cell, Table, count, number, row
from utils.report.run_results import RunResults
from utils.report.sections.metric_tables import interval_cell
from utils.runs.tasks import METRIC_WORDS
from utils.statistics.metric_intervals import MetricInterval
from utils.tables.averages import mean_text
from utils.tables.interval_text import without_interval
from utils.tables.summary_text import BY_PATIENT_METHOD


def patient_table(results: RunResults) -> Table | None:
    """A row per fold, then mean ± deviation; None where every patient has one prediction."""
    measured = None if results.summary is None else results.summary.get("by_patient")
    if measured is None:
        return None
    shown, metric = results.task.shown, results.metric
    intervals = MetricInterval.of_json(measured["intervals"][metric])
    rows = []
    for fold in measured["folds"]:
        main, *others = (number(fold[name]) for name in shown)
        interval = interval_cell(intervals.per_fold[fold["fold"]])
        rows.append((Cell(str(fold["fold"]), float(fold["fold"])), count(fold["n_test"]), main, interval, *others))
    main, *others = (Cell(mean_text(measured | {"unit": "patient"}, name)) for name in shown)
    n_left_out = sum(len(fold["left_out"]) for fold in measured["folds"])
    words = [METRIC_WORDS[name] for name in shown]
    return Table(
        caption="Metrics of the test patients, fold by fold",
        header=("fold", "test patients", words[0], "95 % interval", *words[1:]),
        rows=tuple(rows),
        footer=(row("mean ± std", "", main, interval_cell(intervals.overall), *others),),
        notes=(
            BY_PATIENT_METHOD,
            *(f"{text}." for text in without_interval({metric: intervals})),
            "std: population standard deviation over folds.",
            *([f"Left out: {counted(n_left_out, 'patient')} with slides of different labels."] if n_left_out else []),
        ),
    )
