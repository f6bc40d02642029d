"""Do predicted probabilities agree with what happened? Reliability of classes, and of survival at one time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from utils.runs.predictions import output_columns
from utils.statistics.censoring_metrics import TrainingOutcomes, inner_bin_edges
from utils.statistics.metrics import NO_TRAINING_OUTCOMES
from utils.statistics.share_interval import independent_cases, wilson_limits
from utils.statistics.survival_stats import UndefinedMetricError, kaplan_meier

MAX_BINS, MAX_GROUPS = 10, 5
_CASES_PER_BIN = 10  # fewer say nothing about a share


@dataclass(frozen=True)
class Reliability:
    """Predicted against observed probability in groups of cases with similar predictions.

    Attributes:
        predicted: (B,) mean prediction of the group, ascending.
        observed: (B,) share (classification) or Kaplan-Meier estimate (survival); NaN where there is none.
        low, high: (B,) its 95 % limits; NaN where there are none (log-log limits of a survival of 0 or 1).
        n: (B,) cases.
    """

    predicted: np.ndarray
    observed: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n: np.ndarray


@dataclass(frozen=True)
class SurvivalReliability:
    """Survival beyond one time per fold: `groups` over all folds, `edges` {fold: months}, `left_out` {fold: why}."""

    groups: Reliability
    edges: dict[int, float]
    left_out: dict[int, str]


def quantile_groups(values: np.ndarray, n_groups: int) -> np.ndarray:
    """(n,) the group of each value, 0 .. n_groups - 1, between the quantiles `1/n_groups, 2/n_groups, ...`.

    A value equal to a quantile belongs to the group below it, so equal values share a group and groups may be empty.

    >>> quantile_groups(np.array([0.1, 0.9, 0.5, 0.5, 0.2]), 2).tolist()
    [0, 1, 0, 0, 0]
    """
    inner = np.quantile(values, np.arange(1, n_groups) / n_groups)
    return np.searchsorted(inner, values, side="left")


def n_groups(n_cases: int, most: int) -> int:
    """One group for each ten cases: at least one, `most` at most."""
    return max(1, min(most, n_cases // _CASES_PER_BIN))


def reliability(prob: np.ndarray, occurred: np.ndarray, n_bins: int, patient: np.ndarray | None = None) -> Reliability:
    """Mean prediction and observed share with its Wilson limits in up to `n_bins` quantile bins (`quantile_groups`).

    Slides of a patient share the patient's class, so the limits are those of fewer cases than slides:
    `utils.statistics.share_interval.independent_cases`.

    Args:
        prob: (n,) predicted probability.
        occurred: (n,) bool.
        n_bins: quantile bins; an empty one is left out.
        patient: (n,) whose slide it is; by default each has its own.

    Raises:
        ValueError: shapes differ, no case, or a probability that is not finite.

    References:
        Niculescu-Mizil, Caruana: Predicting good probabilities with supervised learning. ICML 2005.
    """
    prob, occurred = _checked(prob, occurred)
    patient = np.arange(len(prob)) if patient is None else np.asarray(patient)
    if patient.shape != prob.shape:
        raise ValueError(f"patient: expected shape {prob.shape}, got {patient.shape}")
    group = quantile_groups(prob, n_bins)
    n = np.bincount(group, minlength=n_bins)
    kept = n > 0
    hits = np.bincount(group, weights=occurred, minlength=n_bins)[kept]
    predicted = np.bincount(group, weights=prob, minlength=n_bins)[kept] / n[kept]
    independent = [independent_cases(patient[group == index]) for index in np.flatnonzero(kept)]
    low, high = wilson_limits(hits / n[kept], np.array(independent))
    return Reliability(predicted, hits / n[kept], low, high, n[kept])


def expected_calibration_error(bins: Reliability) -> float:
    """`sum_b n_b / n |observed_b - predicted_b|` over the bins."""
    return float((bins.n * np.abs(bins.observed - bins.predicted)).sum() / bins.n.sum())


def brier_score(prob: np.ndarray, occurred: np.ndarray) -> float:
    """`1/n sum_i (prob_i - 1[occurred_i])^2`; 0 is best, 0.25 that of a constant 1/2.

    Raises:
        ValueError: see `reliability`.
    """
    prob, occurred = _checked(prob, occurred)
    return float(np.mean((prob - occurred) ** 2))


def training_edges(
    tables: Mapping[int, pd.DataFrame], outcomes: Mapping[int, pd.DataFrame]
) -> tuple[dict[int, np.ndarray], dict[int, str]]:
    """{fold: inner edges of its time bins}, from its training cases, and {fold: why it has none}.

    Args:
        tables: {fold: predictions of a survival run}.
        outcomes: {fold: outcomes of its training cases as of `utils.runs.training_outcomes`}.
    """
    edges: dict[int, np.ndarray] = {}
    left_out: dict[int, str] = {}
    for fold, table in tables.items():
        if fold not in outcomes:
            left_out[fold] = NO_TRAINING_OUTCOMES
            continue
        try:
            edges[fold] = inner_bin_edges(TrainingOutcomes.of(outcomes[fold]), n_bins=len(output_columns(table)))
        except UndefinedMetricError as error:
            left_out[fold] = str(error)
    return edges, left_out


def survival_reliability(
    tables: Mapping[int, pd.DataFrame], inner_edges: Mapping[int, np.ndarray]
) -> SurvivalReliability:
    """Predicted survival against Kaplan-Meier at the middle inner bin edge of each fold (the earlier of two).

    `S_i(e_j) = prod_{b < j} (1 - hazard_ib)` is the prediction of case i for the edge e_j of its fold. Probabilities
    share a scale, so cases of all folds are grouped together, into up to five groups of equal size by prediction. Edges
    of folds differ somewhat: a case's time is counted in units of its fold's edge, and the Kaplan-Meier estimate of the
    group is read at 1. A group that ends before 1 with a censored case has no estimate there (NaN), and an estimate of
    0 or 1 has no limits. An ensemble of folds counts as one fold, whose edges are the mean of theirs.

    Args:
        tables: {fold: predictions of a survival run}.
        inner_edges: {fold: inner edges of its time bins in months}; a fold without any is left out.

    Raises:
        UndefinedMetricError: no fold has an edge above 0.
    """
    edges: dict[int, float] = {}
    left_out: dict[int, str] = {}
    predicted, event, time = [], [], []
    for fold, inner in inner_edges.items():
        table, middle = tables[fold], (len(inner) - 1) // 2
        if inner[middle] == 0:
            left_out[fold] = "the middle bin edge is at 0 months"
            continue
        names = output_columns(table)
        edges[fold] = float(inner[middle])
        predicted.append(np.prod(1 - table[names[: middle + 1]].to_numpy(), axis=1))
        event.append(table["event"].to_numpy().astype(bool))
        time.append(table["time"].to_numpy() / edges[fold])
    if not edges:
        raise UndefinedMetricError("; ".join(dict.fromkeys(left_out.values())))
    groups = _survival_groups(np.concatenate(predicted), np.concatenate(event), np.concatenate(time))
    return SurvivalReliability(groups, edges, left_out)


def _survival_groups(predicted: np.ndarray, event: np.ndarray, time: np.ndarray) -> Reliability:
    """`time` in units of the edge, so that the edge is at 1."""
    group = quantile_groups(predicted, n_groups(len(predicted), MAX_GROUPS))
    rows = []
    for index in np.unique(group):
        chosen = group == index
        curve = kaplan_meier(event[chosen], time[chosen])
        at = int(np.searchsorted(curve.time, 1.0, side="right")) - 1
        observed = (curve.survival[at], curve.low[at], curve.high[at])
        if observed[0] in (0, 1):
            observed = (observed[0], np.nan, np.nan)
        if time[chosen].max() < 1 and curve.survival[-1] > 0:
            observed = (np.nan, np.nan, np.nan)
        rows.append((predicted[chosen].mean(), *observed, chosen.sum()))
    columns = np.array(rows, dtype=np.float64).T
    return Reliability(columns[0], columns[1], columns[2], columns[3], columns[4].astype(np.int64))


def _checked(prob: np.ndarray, occurred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    prob, occurred = np.asarray(prob, dtype=np.float64), np.asarray(occurred)
    if prob.ndim != 1 or len(prob) == 0 or occurred.shape != prob.shape:
        raise ValueError(f"expected prob and occurred of one shape (n,), got {prob.shape} and {occurred.shape}")
    if not np.isfinite(prob).all():
        raise ValueError("prob: expected finite numbers")
    return prob, occurred.astype(bool)
