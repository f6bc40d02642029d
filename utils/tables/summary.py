"""The results table of a run, from its prediction files alone: summary.csv, summary.json, summary.md.

`python -m utils.tables RUN_DIR ...` computes them again at any time; no model is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from utils.errors import UserError
from utils.files.atomic import write_json, write_text
from utils.files.csv_table import csv_text
from utils.runs.epoch_log import log_if_whole
from utils.runs.predictions import output_columns, read_predictions, task_of
from utils.runs.run_dir import fold_files
from utils.runs.run_record import folds_left_out, read_run, unit_of
from utils.runs.run_values import REQUIRED
from utils.runs.tasks import CLASSIFICATION, SURVIVAL, TASKS
from utils.runs.training_outcomes import read_training_outcomes
from utils.statistics.censoring_metrics import TrainingOutcomes
from utils.statistics.fold_pairs import stratified_concordance
from utils.statistics.group_effect import HAZARD_RATIO
from utils.statistics.metric_intervals import metric_intervals
from utils.statistics.metrics import classification_metrics, survival_metrics
from utils.statistics.risk_groups import PooledHalves, pooled_halves
from utils.statistics.survival_stats import UndefinedMetricError
from utils.tables.averages import cases_of_means, over_folds
from utils.tables.below_chance import mean_below_chance
from utils.tables.fold_calibration import with_calibration
from utils.tables.fold_warnings import fold_warnings
from utils.tables.patient_metrics import patient_metrics
from utils.tables.risk_groups import risk_group_summary
from utils.tables.summary_text import format_summary, is_averaged


def summarise(run_dir: Path) -> dict[str, Any]:
    """The content of summary.json, from `run_dir/fold{k}/predictions_test.csv` and `run_dir/run.json`.

    Survival metrics that are corrected for censoring come from `fold{k}/outcomes_train.csv` too, where it is there.

    Returns:
        `task, dataset, model, formulation, ablate, run_name, seed`, `class_names` (None where classes have no names),
        and `unit`, what one prediction is about (see `utils.runs.run_record.unit_of`);
        `folds`: per fold (in numerical order) `fold, n_test`, the metrics of `utils.statistics.metrics` and of
        `utils.statistics.calibration_metrics`, `reasons` {metric: why it is null}, `warnings` (see
        `utils.tables.fold_warnings`), the path of the predictions within the run, and the digest of the split file if
        known;
        `mean`, `std`, `sample_std`, `n_defined`, `n_test` and in survival `n_events` as of `utils.tables.averages`;
        `intervals` {metric: `utils.statistics.metric_intervals.MetricInterval.as_json`}, of the folds and of the mean;
        `by_patient`, only where slides are classified and a patient has several test slides: see
        `utils.tables.patient_metrics`;
        `pooled` and `risk_groups`, survival only: see `pooled_logrank` and `utils.tables.risk_groups`;
        `c_index_within_folds`, survival only: see `pooled_concordance`;
        `below_chance`: a sentence where the interval of the mean over folds lies below chance, else empty;
        `missing_folds`: folds listed in run.json without predictions; `folds_left_out`: a sentence where the run is of
        some folds of its splits only, else empty; `warnings` and `anchors` as in run.json.

    Raises:
        UserError: run.json is missing or incomplete, no fold has predictions, a prediction file is damaged or of
            another task, or the outcomes of the training cases are damaged or of other time bins.
    """
    run = read_run(run_dir)
    files = fold_files(run_dir, "predictions_test.csv")
    if not files:
        raise UserError(
            f"{run_dir}: no fold*/predictions_test.csv is there, expected one per fold; run main.py for it first."
        )
    tables = {fold: _read_of_task(path, run["task"]) for fold, path in files.items()}
    folds = [_fold_row(run_dir, run, fold, path, tables[fold]) for fold, path in files.items()]
    summary: dict[str, Any] = {name: run[name] for name in REQUIRED}
    summary |= {"ablate": run["settings"].get("ablate") or [], "run_name": run.get("run_name"), "seed": run["seed"]}
    summary["class_names"] = run.get("class_names")
    measured = TASKS[run["task"]].measured
    summary |= {"unit": unit_of(run), "folds": folds, **over_folds(folds, measured), **cases_of_means(folds, measured)}
    intervals = metric_intervals(tables)
    summary["intervals"] = {metric: interval.as_json() for metric, interval in intervals.items()}
    summary["missing_folds"] = sorted(set(run["folds"]) - set(files))
    of_patients = patient_metrics(tables) if run["task"] == CLASSIFICATION.name else None
    if of_patients is not None:
        summary["by_patient"] = of_patients
    if run["task"] == SURVIVAL.name:
        halves = pooled_halves(tables)
        summary["pooled"] = pooled_logrank(halves, missing=summary["missing_folds"])
        summary["c_index_within_folds"] = pooled_concordance(tables)
        summary["risk_groups"] = risk_group_summary(tables, halves)
    summary["below_chance"] = mean_below_chance(intervals, TASKS[run["task"]])
    summary["warnings"] = run["warnings"]
    summary["folds_left_out"] = folds_left_out(run)
    summary["anchors"] = run.get("anchors")
    return summary


def write_summary(run_dir: Path) -> dict[str, Any]:
    """Write `run_dir/summary.csv`, `summary.json` and `summary.md`, each atomically; returns `summarise(run_dir)`.

    summary.csv has a row per fold, then the rows `mean`, `std` and `sample_std`, and in survival the columns of the
    hazard ratio of the risk halves, a row `stratified` with this ratio and the log-rank p stratified by fold, and a
    last row `pooled` with the cases, the deaths and the released log-rank p of `pooled_logrank`, and the C-index of
    `pooled_concordance`; a cell is empty where the metric is undefined, or where a mean says nothing (p values,
    interval ends). With `by_patient` it has the columns `n_patients` and `{metric}_by_patient` too.

    Raises:
        UserError: see `summarise`; nothing is written then.
    """
    summary = summarise(run_dir)
    write_summary_of(run_dir, summary)
    return summary


def fold_metrics(
    table: pd.DataFrame, *, with_interval: bool = True, outcomes: pd.DataFrame | None = None
) -> dict[str, Any]:
    """The metrics of one prediction table (see `utils.statistics.metrics`), by its task.

    `with_interval`: whether the C-index has its interval; each epoch's validation has no use for it.
    `outcomes` are those of the fold's training cases (`utils.runs.training_outcomes`); a classification table has no
    use for them, and without them the survival metrics that are corrected for censoring are None.
    """
    if task_of(table) == CLASSIFICATION:
        return classification_metrics(table["label"].to_numpy(), table[output_columns(table)].to_numpy())
    event, time, risk = (table[name].to_numpy() for name in ("event", "time", "risk"))
    if outcomes is None:
        return survival_metrics(event, time, risk, with_interval=with_interval)
    more = {"train": TrainingOutcomes.of(outcomes), "hazards": table[output_columns(table)].to_numpy()}
    return survival_metrics(event, time, risk, with_interval=with_interval, **more)


def pooled_logrank(pooled: PooledHalves, *, missing: Sequence[int]) -> dict[str, Any]:
    """The released figure of a cohort: the log-rank p of the risk halves, the test cases of all folds pooled.

    `pooled` are the halves of all folds, `missing` the folds without predictions. Each case has the half that it has
    within its fold (`utils.statistics.risk_groups.pooled_halves`); the test is not stratified by fold.

    Returns:
        `logrank_p`, None where `reason` says why; `n_cases` and `n_high` (cases of the high half); `deaths_high` and
        `deaths_low`; `folds`: those whose cases are pooled; `left_out` {fold, as text: why it is not among them}.
    """
    event, high = pooled.groups.event, pooled.groups.high
    return {
        "logrank_p": pooled.p,
        "n_cases": len(high),
        "n_high": int(high.sum()),
        "deaths_high": int(event[high].sum()),
        "deaths_low": int(event[~high].sum()),
        "folds": list(pooled.folds),
        # A JSON key is a text.
        "left_out": {
            str(k): why for k, why in sorted({**dict.fromkeys(missing, "missing"), **pooled.left_out}.items())
        },
        "reason": pooled.reason,
    }


def pooled_concordance(tables: Mapping[int, pd.DataFrame]) -> dict[str, Any]:
    """Harrell's C over the comparable pairs of all folds, each within its fold.

    Returns:
        `c_index`, None where `reason` says why; `n_pairs`, the comparable pairs; `folds` that have any.
    """
    try:
        found = stratified_concordance(tables)
    except UndefinedMetricError as error:
        return {"c_index": None, "n_pairs": 0, "folds": [], "reason": str(error)}
    return {"c_index": found.value, "n_pairs": found.n_pairs, "folds": list(found.folds), "reason": None}


def _read_of_task(path: Path, task: str) -> pd.DataFrame:
    table = read_predictions(path)
    if task_of(table).name != task:
        raise UserError(
            f"{path}: holds predictions of task {task_of(table).name}, expected {task} as in run.json; keep the runs "
            "of the two tasks in folders of their own."
        )
    return table


def _fold_row(run_dir: Path, run: dict[str, Any], fold: int, path: Path, table: pd.DataFrame) -> dict[str, Any]:
    outcomes = _training_outcomes(path.with_name("outcomes_train.csv"), table) if run["task"] == SURVIVAL.name else None
    digest = run["splits"].get(f"fold{fold}.csv")
    source = {"predictions": path.relative_to(run_dir).as_posix(), "split_sha256": digest}
    doubts = {"warnings": fold_warnings(run, log_if_whole(path.with_name("log.csv")), table, "test")}
    metrics = fold_metrics(table, outcomes=outcomes)
    metrics = with_calibration(metrics, table, path.parent, outcomes=outcomes, seed=run["seed"])
    return {"fold": fold, "n_test": len(table)} | metrics | doubts | source


def _training_outcomes(path: Path, table: pd.DataFrame) -> pd.DataFrame | None:
    """The outcomes of the training cases beside the predictions `table`; None where the file is not there."""
    if not path.exists():
        return None
    outcomes, n_bins = read_training_outcomes(path), len(output_columns(table))
    if outcomes["bin"].max() >= n_bins:
        raise UserError(
            f"{path}: holds bin {outcomes['bin'].max()}, expected 0 to {n_bins - 1} as the predictions beside it have "
            f"{n_bins} hazards; make both again with main.py --stage test --overwrite."
        )
    return outcomes


def write_summary_of(run_dir: Path, summary: dict[str, Any]) -> None:
    """Write the three files of a summary (see `write_summary`) into `run_dir`, each atomically."""
    write_text(run_dir / "summary.csv", _csv_text(summary))
    write_json(run_dir / "summary.json", summary)
    write_text(run_dir / "summary.md", format_summary(summary))


def _csv_text(summary: dict[str, Any]) -> str:
    task = TASKS[summary["task"]]
    columns: tuple[str, ...] = ("fold", "n_test", *task.measured)
    rows = [{name: fold[name] for name in columns} for fold in summary["folds"]]
    for name in ("mean", "std", "sample_std"):
        # A mean of p values, or of interval ends, is neither; summary.json has it, as its format promises every name.
        rows.append({"fold": name} | {n: value for n, value in summary[name].items() if is_averaged(n)})
    if "by_patient" in summary:
        patients = summary["by_patient"]
        columns = (*columns, "n_patients", *(f"{name}_by_patient" for name in task.metrics))
        averages = (patients[name] for name in ("mean", "std", "sample_std"))
        for row, values in zip(rows, [*patients["folds"], *averages], strict=True):
            row |= {f"{name}_by_patient": values[name] for name in task.metrics}
            row |= {"n_patients": values["n_test"]} if "n_test" in values else {}
    if "pooled" in summary:
        pooled = summary["pooled"]
        deaths = pooled["deaths_high"] + pooled["deaths_low"]
        within = {"c_index": summary["c_index_within_folds"]["c_index"]}
        counts = {"n_test": pooled["n_cases"], "n_events": deaths}
        columns = (*columns, *HAZARD_RATIO)
        of_groups = summary["risk_groups"]
        for row, found in zip(rows, of_groups["folds"], strict=False):
            row |= {name: found[name] for name in HAZARD_RATIO}
        stratified = {name: of_groups["stratified"][name] for name in (*HAZARD_RATIO, "logrank_p")}
        rows.append({"fold": "stratified"} | stratified | counts)
        rows.append({"fold": "pooled", "logrank_p": pooled["logrank_p"]} | counts | within)
    return csv_text(columns, rows)
