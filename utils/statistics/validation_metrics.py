"""The metrics of a cohort that no model was trained on: as for test cases, with what training has fixed.

Survival: the groups of the log-rank test are divided by the cut-off of the training cases (`utils.statistics.cut_off`).
The metrics that are corrected for censoring look at the inner edges of the model's time bins and take the censoring
distribution from the cohort itself, since patients are followed otherwise in another hospital.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from utils.runs.predictions import output_columns, task_of
from utils.runs.tasks import CLASSIFICATION
from utils.statistics.censoring_metrics import TrainingOutcomes
from utils.statistics.cut_off import NO_CUT_OFF, divided_with_p
from utils.statistics.group_effect import HAZARD_RATIO
from utils.statistics.metrics import N_RESAMPLES, classification_metrics, survival_metrics
from utils.statistics.survival_stats import UndefinedMetricError

NO_EDGES = "the edges of the model's time bins are not known"


def validation_metrics(
    table: pd.DataFrame,
    *,
    seed: int,
    cut_off: float | None = None,
    inner_edges: Sequence[float] | None = None,
    n_resamples: int = N_RESAMPLES,
) -> dict[str, Any]:
    """The metrics of the predictions of a cohort, as of `utils.statistics.metrics`.

    Args:
        table: cases with known outcomes.
        seed: of the bootstrap.
        cut_off: the risk that divides the cases (survival).
        inner_edges: of the model's time bins, (C - 1,) months (survival; None where they are not known).
        n_resamples: of the bootstrap.

    Returns:
        The metrics of the task and `reasons` {metric: why it is None}; in survival also `cut_off`, `n_high` and
        `deaths_high`, of the cases at or above it, and their `hazard_ratio` against the others with its 95 % limits
        `hazard_ratio_low`, `hazard_ratio_high`.
    """
    outputs = table[output_columns(table)].to_numpy(dtype=np.float64)
    if task_of(table) == CLASSIFICATION:
        return classification_metrics(table["label"].to_numpy(), outputs)
    event, time, risk = (table[name].to_numpy() for name in ("event", "time", "risk"))
    if inner_edges is None:
        metrics = survival_metrics(event, time, risk, seed=seed, n_resamples=n_resamples)
        metrics["reasons"] |= dict.fromkeys(("c_index_ipcw", "td_auc", "ibs"), NO_EDGES)
    else:
        edges = np.asarray(inner_edges, dtype=np.float64)
        cohort = TrainingOutcomes(event, time, np.searchsorted(edges, time, side="right"))
        metrics = survival_metrics(
            event, time, risk, seed=seed, n_resamples=n_resamples, train=cohort, hazards=outputs, edges=edges
        )
    return metrics | _by_cut_off(table, cut_off, metrics["reasons"])


def _by_cut_off(table: pd.DataFrame, cut_off: float | None, reasons: dict[str, str]) -> dict[str, Any]:
    """Hazard ratio and log-rank test of the groups that the cut-off makes; `reasons` says why there is none."""
    reasons.pop("logrank_p", None)
    undefined: dict[str, Any] = dict.fromkeys(("logrank_p", *HAZARD_RATIO))
    if cut_off is None:
        reasons |= dict.fromkeys(("logrank_p", "hazard_ratio"), NO_CUT_OFF)
        return {**undefined, "cut_off": None, "n_high": None, "deaths_high": None}
    high = (table["risk"] >= cut_off).to_numpy()
    counts = {"cut_off": cut_off, "n_high": int(high.sum()), "deaths_high": int(table["event"].to_numpy()[high].sum())}
    try:
        groups = divided_with_p(table, cut_off)
    except UndefinedMetricError as error:
        reasons |= dict.fromkeys(("logrank_p", "hazard_ratio"), str(error))
        return {**undefined, **counts}
    if groups.reason is not None:
        reasons["logrank_p"] = groups.reason
    effect = groups.effect
    if "hazard_ratio" in effect.reasons:
        reasons["hazard_ratio"] = effect.reasons["hazard_ratio"]
    ratio = dict(zip(HAZARD_RATIO, (effect.hazard_ratio, effect.low, effect.high), strict=True))
    return {"logrank_p": groups.p, **ratio, **counts}
