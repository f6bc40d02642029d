"""The metrics of a cohort that no model was trained on: as for test cases, with what training has fixed.

Survival: the groups of the log-rank test are divided by the cut-off of the training cases (`utils.statistics.cut_off`).
The metrics that are corrected for censoring look at the inner edges of the model's time bins and take the censoring
distribution from the cohort itself, since patients are followed otherwise in another hospital; the Kaplan-Meier curve
that the integrated Brier score is compared with is that of the cohort, too.

Classification: the threshold is that of the run's validation cases. The Brier score is compared with that of the class
shares of the cohort.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from utils.runs.predictions import output_columns, task_of
from utils.runs.tasks import CLASSIFICATION, CORRECTED_FOR_CENSORING
from utils.statistics.calibration_metrics import Threshold, classification_calibration, survival_calibration
from utils.statistics.censoring_metrics import TrainingOutcomes
from utils.statistics.cut_off import NO_CUT_OFF, divided_with_p
from utils.statistics.metrics import classification_metrics, survival_metrics
from utils.statistics.survival_stats import UndefinedMetricError

NO_THRESHOLD = "no threshold of the run's validation cases is known"
NO_EDGES = "the edges of the model's time bins are not known"


def validation_metrics(
    table: pd.DataFrame,
    *,
    seed: int = 0,
    cut_off: float | None = None,
    threshold: float | None = None,
    inner_edges: Sequence[float] | None = None,
) -> dict[str, Any]:
    """The metrics of the predictions of a cohort, as of `utils.statistics.metrics`.

    Args:
        table: cases with known outcomes.
        seed: of the draws behind `ece_expected` (classification).
        cut_off: the risk that divides the cases (survival).
        threshold: the probability from which on a case is called class 1 (two classes; None where it is not known).
        inner_edges: of the model's time bins, (C - 1,) months (survival; None where they are not known).

    Returns:
        The metrics of the task, those of `utils.statistics.calibration_metrics` included, and `reasons` {metric: why it
        is None}; in survival also `cut_off`, `n_high` and `deaths_high`, of the cases at or above it.
    """
    outputs = table[output_columns(table)].to_numpy(dtype=np.float64)
    if task_of(table) == CLASSIFICATION:
        classes = classification_metrics(table["label"].to_numpy(), outputs)
        chosen = Threshold(threshold, NO_THRESHOLD if threshold is None else None)
        return _joined(classes, classification_calibration(table, threshold=chosen, shares=None, seed=seed))
    event, time, risk = (table[name].to_numpy() for name in ("event", "time", "risk"))
    if inner_edges is None:
        metrics = survival_metrics(event, time, risk)
        metrics["reasons"] |= dict.fromkeys(CORRECTED_FOR_CENSORING, NO_EDGES)
        more = survival_calibration(table, ibs=None, why_no_ibs=NO_EDGES, train=None)
        more["reasons"]["ibs_reference"] = NO_EDGES
    else:
        edges = np.asarray(inner_edges, dtype=np.float64)
        cohort = TrainingOutcomes(event, time, np.searchsorted(edges, time, side="right"))
        metrics = survival_metrics(event, time, risk, train=cohort, hazards=outputs, edges=edges)
        ibs = {"ibs": metrics["ibs"], "why_no_ibs": metrics["reasons"].get("ibs")}
        more = survival_calibration(table, **ibs, train=cohort, edges=edges)
    metrics = _joined(metrics, more)
    return metrics | _by_cut_off(table, cut_off, metrics["reasons"])


def _joined(metrics: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Both with the reasons of both."""
    return {**metrics, **more, "reasons": {**metrics["reasons"], **more["reasons"]}}


def _by_cut_off(table: pd.DataFrame, cut_off: float | None, reasons: dict[str, str]) -> dict[str, Any]:
    """The log-rank test of the groups that the cut-off makes; `reasons` says why there is none."""
    reasons.pop("logrank_p", None)
    if cut_off is None:
        reasons["logrank_p"] = NO_CUT_OFF
        return {"logrank_p": None, "cut_off": None, "n_high": None, "deaths_high": None}
    high = (table["risk"] >= cut_off).to_numpy()
    counts = {"cut_off": cut_off, "n_high": int(high.sum()), "deaths_high": int(table["event"].to_numpy()[high].sum())}
    try:
        groups = divided_with_p(table, cut_off)
    except UndefinedMetricError as error:
        reasons["logrank_p"] = str(error)
        return {"logrank_p": None, **counts}
    if groups.reason is not None:
        reasons["logrank_p"] = groups.reason
    return {"logrank_p": groups.p, **counts}
