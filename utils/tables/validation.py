"""The results table of another cohort, from its prediction files alone: metrics.json, summary.csv, .json and .md.

`python -m utils.tables RUN_DIR/predict/NAME` computes them again at any time; no model is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from utils.files.atomic import write_json, write_text
from utils.files.csv_table import csv_text
from utils.files.phrases import counted, numbered
from utils.runs.cohort_predictions import read_cohort_predictions
from utils.runs.predict_dir import stale_folds
from utils.runs.tasks import CLASSIFICATION, SURVIVAL, TASKS
from utils.statistics.group_effect import HAZARD_RATIO
from utils.statistics.metric_intervals import metric_intervals
from utils.statistics.validation_metrics import validation_metrics
from utils.tables.averages import over_folds
from utils.tables.below_chance import below_chance, is_below_chance
from utils.tables.constant_predictions import only_class, same_scores
from utils.tables.patient_metrics import patient_metrics
from utils.tables.summary_text import is_averaged
from utils.tables.validation_text import format_validation


def validate(folder: Path) -> dict[str, Any]:
    """The content of summary.json of a cohort: the ensemble, and its folds one by one.

    Returns:
        `cohort, unit, task, dataset, model, formulation, ablate, run_name, seed`: of cohort and run;
        `n_cases` predicted and `n_known` evaluated;
        `ensemble`: `n_test`, the metrics of `utils.statistics.validation_metrics`, `reasons` {metric: why it is null},
        and `intervals` {metric: value, low, high, reason} (`utils.statistics.metric_intervals`);
        `folds`: per fold `fold, n_test`, metrics and reasons; `mean`, `std`, `sample_std` and `n_defined` over them;
        `by_patient`, only where slides are classified and a patient has several: see `utils.tables.patient_metrics`,
        of the ensemble alone, with `intervals` as above;
        `class_names`, None where the run has none; `notes` as in predict.json, and `warnings` likewise, after those of
        folds trained again since, of one predicted class, and of an interval below chance.

    Raises:
        UserError: see `read_cohort_predictions`.
    """
    record, ensemble, folds = read_cohort_predictions(folder)
    run, seed = record["run"], int(record["run"].get("seed") or 0)
    names = ("dataset", "model", "formulation", "ablate", "run_name", "seed")
    summary: dict[str, Any] = {"cohort": record["cohort"], "unit": record["unit"], "task": record["task"]}
    summary |= {name: run.get(name) for name in names}
    summary |= {"n_cases": record["n_cases"], "n_known": record["n_known"]}
    of_ensemble = _row(ensemble, record, "ensemble", seed=seed)
    intervals = metric_intervals({0: ensemble})
    of_ensemble["intervals"] = {name: asdict(interval.per_fold[0]) for name, interval in intervals.items()}
    summary["ensemble"] = of_ensemble
    summary["folds"] = [{"fold": k} | _row(table, record, f"fold{k}", seed=seed) for k, table in folds.items()]
    summary |= over_folds(summary["folds"], TASKS[record["task"]].measured)
    if record["task"] == CLASSIFICATION.name:
        of_patients = patient_metrics({0: ensemble})
        if of_patients is not None:
            intervals_of = {name: interval["mean"] for name, interval in of_patients["intervals"].items()}
            summary["by_patient"] = of_patients["folds"][0] | {"intervals": intervals_of}
    summary["warnings"] = [*_doubts(summary, ensemble, stale_folds(folder, record)), *record["warnings"]]
    return summary | {"class_names": run.get("class_names"), "notes": record["notes"]}


def _doubts(summary: Mapping[str, Any], ensemble: pd.DataFrame, stale: Sequence[int]) -> Iterator[str]:
    """What makes the results of a cohort doubtful."""
    if stale:
        again = "trained again since it predicted this cohort, which has to be predicted again"
        yield f"{again}: {numbered('fold', stale)}"
    task = TASKS[summary["task"]]
    cases, same, named = counted(len(ensemble), summary["unit"]), same_scores(ensemble), only_class(ensemble)
    if same is not None:
        yield f"the ensemble predicts the same {same} for all of {cases}, but for rounding: look at the features"
    elif named is not None:
        yield f"the ensemble predicts class {named} for all of {cases}: the threshold of the run does not fit them"
    interval = summary["ensemble"]["intervals"][task.metric]
    if is_below_chance(interval["low"], interval["high"]):
        yield below_chance(task)


def write_validation(folder: Path) -> dict[str, Any]:
    """Write metrics.json, summary.csv, summary.json and summary.md, each atomically; returns `validate(folder)`.

    Raises:
        UserError: see `validate`; nothing is written then.
    """
    summary = validate(folder)
    write_validation_of(folder, summary)
    return summary


def write_validation_of(folder: Path, summary: Mapping[str, Any]) -> None:
    """Write the four files of a summary into `folder`, each atomically."""
    write_json(folder / "metrics.json", {name: summary[name] for name in ("ensemble", "folds")})
    write_text(folder / "summary.csv", _csv_text(summary))
    write_json(folder / "summary.json", summary)
    write_text(folder / "summary.md", format_validation(summary))


def _row(table: pd.DataFrame, record: Mapping[str, Any], key: str, *, seed: int) -> dict[str, Any]:
    cut_offs, thresholds, edges = (record.get(name) or {} for name in ("cut_offs", "thresholds", "inner_edges"))
    fixed = {"cut_off": cut_offs.get(key), "threshold": thresholds.get(key), "inner_edges": edges.get(key)}
    metrics = validation_metrics(table, seed=seed, **fixed)
    return {"n_test": len(table)} | metrics


def _csv_text(summary: Mapping[str, Any]) -> str:
    ratio = HAZARD_RATIO if summary["task"] == SURVIVAL.name else ()
    columns = ("fold", "n_test", *TASKS[summary["task"]].measured, *ratio)
    rows = [{"fold": "ensemble", **{name: summary["ensemble"][name] for name in columns[1:]}}]
    rows += [{name: row[name] for name in columns} for row in summary["folds"]]
    for name in ("mean", "std", "sample_std"):
        rows.append({"fold": name} | {n: value for n, value in summary[name].items() if is_averaged(n)})
    return csv_text(columns, rows)
