"""The calibration metrics of a test fold, from the files that its training left beside the predictions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from utils.errors import UserError
from utils.machine.seed import derive_seed
from utils.runs.predictions import output_columns, read_predictions, task_of
from utils.runs.tasks import CLASSIFICATION
from utils.statistics.calibration_metrics import Threshold, classification_calibration, survival_calibration
from utils.statistics.censoring_metrics import TrainingOutcomes
from utils.statistics.class_calibration import class_shares


def with_calibration(
    metrics: Mapping[str, Any], table: pd.DataFrame, place: Path, *, outcomes: pd.DataFrame | None, seed: int
) -> dict[str, Any]:
    """The metrics of the test cases of a fold with those of `utils.statistics.calibration_metrics` and their reasons.

    Args:
        metrics: as of `utils.tables.summary.fold_metrics`.
        table: predictions of the test cases.
        place: the folder of the fold. Its `predictions_val.csv` chooses the threshold, and `predictions_train.csv` has
            the shares of the classes in training; one that is missing or damaged is as one that is not there.
        outcomes: of the training cases (survival).
        seed: of the run.
    """
    if task_of(table) == CLASSIFICATION:
        n_classes = len(output_columns(table))
        training = _labels_if_whole(place / "predictions_train.csv", n_classes)
        more = classification_calibration(
            table,
            threshold=Threshold.of(_labels_if_whole(place / "predictions_val.csv", n_classes)),
            shares=None if training is None else class_shares(training["label"].to_numpy(), n_classes),
            seed=derive_seed(seed, "calibration"),
        )
    else:
        more = survival_calibration(
            table,
            ibs=metrics["ibs"],
            why_no_ibs=metrics["reasons"].get("ibs"),
            train=None if outcomes is None else TrainingOutcomes.of(outcomes),
        )
    return {**metrics, **more, "reasons": {**metrics["reasons"], **more["reasons"]}}


def _labels_if_whole(path: Path, n_classes: int) -> pd.DataFrame | None:
    """The classification predictions of a file; None where there is none that can be read, or of other classes."""
    try:
        table = read_predictions(path) if path.exists() else None
    except UserError:
        return None
    if table is None or task_of(table) != CLASSIFICATION or len(output_columns(table)) != n_classes:
        return None
    return table if len(table) else None
