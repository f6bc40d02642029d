"""The metrics of a test fold that need more than its predictions: calibration with its references, and a threshold.

As in `utils.statistics.metrics`, what a fold does not define is None with its reason in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from utils.runs.predictions import output_columns
from utils.runs.tasks import AT_THRESHOLD, CLASSIFICATION, SURVIVAL
from utils.statistics.calibration_slope import Coefficient, logistic_calibration, survival_slope
from utils.statistics.censoring_metrics import TrainingOutcomes, inner_bin_edges, integrated_brier
from utils.statistics.class_calibration import (
    brier,
    brier_of_shares,
    calibration_error,
    calibration_error_if_calibrated,
    class_shares,
)
from utils.statistics.metrics import NO_TRAINING_OUTCOMES, missing_classes
from utils.statistics.survival_stats import UndefinedMetricError, kaplan_meier, survival_at
from utils.statistics.thresholds import at_threshold, youden_threshold

NO_VALIDATION = "the predictions of the validation cases are not there (predictions_val.csv)"
TWO_CLASSES = "defined for two classes only"


@dataclass(frozen=True)
class Threshold:
    """The probability of class 1 from which on a case is called class 1; None where `reason` says why."""

    value: float | None
    reason: str | None = None

    @classmethod
    def of(cls, validation: pd.DataFrame | None) -> Threshold:
        """The one that predictions of validation cases choose (`utils.statistics.thresholds.youden_threshold`)."""
        if validation is None:
            return cls(None, NO_VALIDATION)
        if len(output_columns(validation)) != 2:
            return cls(None, TWO_CLASSES)
        try:
            return cls(youden_threshold(validation["label"].to_numpy(), validation["prob_1"].to_numpy()))
        except UndefinedMetricError as error:
            return cls(None, str(error))


def classification_calibration(
    table: pd.DataFrame, *, threshold: Threshold, shares: np.ndarray | None, seed: int
) -> dict[str, Any]:
    """`CLASSIFICATION.calibration` of a prediction table.

    Args:
        table: predictions of test cases.
        threshold: chosen by the validation cases.
        shares: (C,) the classes' shares of the training cases; None takes those of the test cases themselves.
        seed: of the labels that are drawn for `ece_expected`.

    Returns:
        `auprc` (average precision of class 1, beyond two classes the mean of each against the rest) and
        `auprc_reference` (its value for a model that knows nothing: the share of the class); `brier`,
        `brier_reference` (that of the class shares) and `brier_skill` = 1 - brier / brier_reference; `ece` and
        `ece_expected` (that of a perfectly calibrated model); `calibration_slope` and `calibration_intercept`;
        `threshold`, `sensitivity`, `specificity`, `ppv` and `npv` at it; limits of these as `_low`, `_high`. Beside
        these `brier_reference_of` (`training` or `test`: whose shares), `n_clipped` (probabilities that were moved
        away from 0 or 1 for the slope; None without one), and `reasons` {metric: why it is None}.
    """
    label, prob = table["label"].to_numpy(), table[output_columns(table)].to_numpy(dtype=np.float64)
    patient = table["case_id"].to_numpy()
    result: dict[str, Any] = dict.fromkeys(CLASSIFICATION.calibration)
    reasons: dict[str, str] = {}
    result |= {"n_clipped": None, "reasons": reasons}
    _add_precision(result, label, prob)
    result["brier_reference_of"] = "test" if shares is None else "training"
    reference = brier_of_shares(class_shares(label, prob.shape[1]) if shares is None else shares, label)
    result |= {"brier": brier(prob, label), "brier_reference": reference}
    _add_skill(result, "brier", result["brier"])
    result["ece"] = calibration_error(prob, label, patient)
    result["ece_expected"] = calibration_error_if_calibrated(prob, patient, seed=seed)
    _add_slope(result, label, prob, patient)
    _add_threshold(result, label, prob, patient, threshold)
    return result


def survival_calibration(
    table: pd.DataFrame,
    *,
    ibs: float | None,
    why_no_ibs: str | None,
    train: TrainingOutcomes | None,
    edges: np.ndarray | None = None,
) -> dict[str, Any]:
    """`SURVIVAL.calibration` of a prediction table.

    Args:
        table: predictions of test cases.
        ibs: their integrated Brier score.
        why_no_ibs: why it is None.
        train: outcomes whose Kaplan-Meier curve is the reference, and whose censoring gives the weights: those of
            the training cases.
        edges: (C - 1,) inner edges of the time bins in months; None takes those that the bins of `train` show.

    Returns:
        `ibs_reference`, the integrated Brier score of a model that predicts this curve for everybody (same edges, same
        weights); `ibs_skill` = 1 - ibs / ibs_reference; `calibration_slope` with its limits, of the predicted survival
        at the middle inner edge (the earlier of two; see `utils.statistics.calibration_slope.survival_slope`). Beside
        these `n_clipped` (predictions that were moved away from 0 or 1 for the slope; None without one), and `reasons`.
    """
    event, time = table["event"].to_numpy(), table["time"].to_numpy()
    hazards = table[output_columns(table)].to_numpy(dtype=np.float64)
    result: dict[str, Any] = dict.fromkeys(SURVIVAL.calibration)
    reasons: dict[str, str] = {}
    result |= {"n_clipped": None, "reasons": reasons}
    try:
        if train is None:
            raise UndefinedMetricError(NO_TRAINING_OUTCOMES)
        at = inner_bin_edges(train, n_bins=hazards.shape[1]) if edges is None else edges
        result["ibs_reference"] = ibs_of_kaplan_meier(event, time, train=train, edges=at)
    except UndefinedMetricError as error:
        reasons["ibs_reference"] = str(error)
    _add_skill(result, "ibs", ibs, why_no_ibs)
    try:
        if hazards.shape[1] == 1:
            raise UndefinedMetricError("one time bin has no inner edges")
        middle = (hazards.shape[1] - 2) // 2
        slope = survival_slope(event, time, np.prod(1 - hazards[:, : middle + 1], axis=1))
        result |= _limits("calibration_slope", slope.slope) | {"n_clipped": slope.n_clipped}
    except UndefinedMetricError as error:
        reasons |= _no_limits("calibration_slope", str(error))
    return result


def ibs_of_kaplan_meier(event: np.ndarray, time: np.ndarray, *, train: TrainingOutcomes, edges: np.ndarray) -> float:
    """The integrated Brier score of a model that predicts the Kaplan-Meier curve of the training cases for everybody.

    Raises:
        UndefinedMetricError: see `utils.statistics.censoring_metrics.integrated_brier`.

    References:
        Graf, Schmoor, Sauerbrei, Schumacher: Assessment and comparison of prognostic classification schemes for
        survival data. Statistics in Medicine 18(17-18), 2529-2545, 1999: the pooled Kaplan-Meier as benchmark.
    """
    curve = survival_at(kaplan_meier(train.event, train.time), edges)
    return integrated_brier(event, time, np.tile(curve, (len(time), 1)), train=train, edges=edges)


def _add_skill(result: dict[str, Any], name: str, score: float | None, why: str | None = None) -> None:
    """`1 - score / reference`: 1 is perfect, 0 no better than the reference, below 0 worse."""
    reference, reasons = result[f"{name}_reference"], result["reasons"]
    if score is None or reference is None:
        reasons[f"{name}_skill"] = str(why if score is None else reasons[f"{name}_reference"])
    elif reference == 0:
        reasons[f"{name}_skill"] = "the reference is never wrong"
    else:
        result[f"{name}_skill"] = 1 - score / reference


def _add_precision(result: dict[str, Any], label: np.ndarray, prob: np.ndarray) -> None:
    reason = missing_classes(label, prob.shape[1])
    if reason is not None:
        result["reasons"] |= dict.fromkeys(("auprc", "auprc_reference"), reason)
        return
    classes = [1] if prob.shape[1] == 2 else range(prob.shape[1])
    result["auprc"] = float(np.mean([average_precision_score(label == c, prob[:, c]) for c in classes]))
    result["auprc_reference"] = float(np.mean([np.mean(label == c) for c in classes]))


def _add_slope(result: dict[str, Any], label: np.ndarray, prob: np.ndarray, patient: np.ndarray) -> None:
    try:
        if prob.shape[1] != 2:
            raise UndefinedMetricError(TWO_CLASSES)
        found = logistic_calibration(prob[:, 1], label == 1, patient)
    except UndefinedMetricError as error:
        for name in ("calibration_slope", "calibration_intercept"):
            result["reasons"] |= _no_limits(name, str(error))
        return
    result |= _limits("calibration_slope", found.slope) | _limits("calibration_intercept", found.intercept)
    result["n_clipped"] = found.n_clipped


def _add_threshold(
    result: dict[str, Any], label: np.ndarray, prob: np.ndarray, patient: np.ndarray, threshold: Threshold
) -> None:
    reason = TWO_CLASSES if prob.shape[1] != 2 else threshold.reason
    if reason is not None or threshold.value is None:
        result["reasons"]["threshold"] = str(reason)
        for name in AT_THRESHOLD:
            result["reasons"] |= _no_limits(name, str(reason))
        return
    result["threshold"] = threshold.value
    for name, share in at_threshold(label, prob[:, 1], threshold.value, patient).items():
        if share.reason is not None:
            result["reasons"] |= _no_limits(name, share.reason)
        else:
            result |= {name: share.value, f"{name}_low": share.low, f"{name}_high": share.high}


def _limits(name: str, found: Coefficient) -> dict[str, float]:
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def _no_limits(name: str, reason: str) -> dict[str, str]:
    return dict.fromkeys((name, f"{name}_low", f"{name}_high"), reason)
