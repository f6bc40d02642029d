"""Metrics of patients where a classification run predicts slides: `by_patient` of summary.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from utils.runs.predictions import output_columns
from utils.runs.tasks import CLASSIFICATION
from utils.statistics.metric_intervals import metric_intervals
from utils.statistics.metrics import classification_metrics
from utils.statistics.patients import PatientPredictions, by_patient, has_patients_of_several_rows
from utils.tables.averages import cases_of_means, over_folds

NO_PATIENT = "every patient has slides of different labels"


def patient_metrics(tables: Mapping[int, pd.DataFrame]) -> dict[str, Any] | None:
    """Metrics of the mean probabilities of each patient's slides; None where no patient has several test slides.

    Args:
        tables: {fold: predictions of a classification run}.

    Returns:
        `folds`: per fold `fold`, `n_test` (patients with a label), the metrics of
        `utils.statistics.metrics.classification_metrics`, `reasons` {metric: why it is null}, and `left_out`, the
        patients whose slides have different labels; `mean`, `std`, `sample_std`, `n_defined` and `n_test` as of
        `utils.tables.averages`; `intervals` {metric: `utils.statistics.metric_intervals.MetricInterval.as_json`}.
    """
    if not any(has_patients_of_several_rows(table) for table in tables.values()):
        return None
    patients = {fold: by_patient(table) for fold, table in tables.items()}
    folds = [{"fold": fold} | _of_fold(of_fold) for fold, of_fold in patients.items()]
    intervals = metric_intervals({fold: of_fold.table for fold, of_fold in patients.items()})
    as_json = {metric: interval.as_json() for metric, interval in intervals.items()}
    measured = CLASSIFICATION.metrics
    return {"folds": folds, **over_folds(folds, measured), **cases_of_means(folds, measured), "intervals": as_json}


def _of_fold(patients: PatientPredictions) -> dict[str, Any]:
    metrics: dict[str, Any] = dict.fromkeys(CLASSIFICATION.metrics)
    metrics["reasons"] = dict.fromkeys(CLASSIFICATION.metrics, NO_PATIENT)
    if len(patients.table):
        prob = patients.table[output_columns(patients.table)].to_numpy()
        metrics = classification_metrics(patients.table["label"].to_numpy(), prob)
    return {"n_test": len(patients.table)} | metrics | {"left_out": list(patients.left_out)}
