"""The metrics of the tables, from labels and predictions of one test fold.

A metric that this fold does not define (one class, no events, no comparable pair) is None, with its reason in words
under `reasons`; training never fails on it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, recall_score, roc_auc_score

from utils.runs.tasks import CORRECTED_FOR_CENSORING, SURVIVAL
from utils.statistics.censoring_metrics import (
    TrainingOutcomes,
    dynamic_auc,
    inner_bin_edges,
    integrated_brier,
    uno_concordance,
)
from utils.statistics.interval import Interval, logit_interval
from utils.statistics.jackknife import concordance_jackknife
from utils.statistics.survival_stats import (
    UndefinedMetricError,
    check_risk,
    check_survival,
    concordance,
    logrank_p,
    risk_halves,
)

NO_TRAINING_OUTCOMES = "the outcomes of the training cases are not there (outcomes_train.csv)"


def survival_metrics(
    event: np.ndarray,
    time: np.ndarray,
    risk: np.ndarray,
    *,
    seed: int | None = None,
    with_interval: bool = True,
    train: TrainingOutcomes | None = None,
    hazards: np.ndarray | None = None,
    edges: np.ndarray | None = None,
) -> dict[str, Any]:
    """Harrell's C with its 95 % interval, log-rank p of the risk halves, number of deaths; Uno's C, AUC, IBS.

    Args:
        event: (n,) 1 = death observed, 0 = censored.
        time: (n,) months.
        risk: (n,) higher risk = earlier death.
        seed: has no effect; scripts that were written for a bootstrap interval pass it.
        with_interval: whether to compute the interval.
        train: outcomes of the fold's training cases; without them the last three metrics are None.
        hazards: (n, C) probability to die in a time bin given survival up to it; comes with `train`.
        edges: (C - 1,) inner edges of the time bins in months; None takes those that the bins of `train` show.

    Returns:
        `c_index` (ties in risk within 1e-8 count one half), `c_index_low` and `c_index_high`
        (`utils.statistics.interval.logit_interval` with the jackknife variance over cases), `logrank_p` (high: risk >=
        median of these cases, against the rest), `n_events`; with the censoring distribution of `train` and the inner
        edges e_1 < ... < e_{C-1} of its time bins (see `utils.statistics.censoring_metrics`) `c_index_ipcw` (Uno's C
        truncated at e_{C-1}), `td_auc` (cumulative/dynamic AUC of the risk, averaged over the edges) and `ibs`
        (integrated Brier score of `S(e_j) = prod_{i < j} (1 - hazard_i)` over the edges; bins count from 0, so bin
        j - 1 ends at e_j); and `reasons` {metric: why it is None}.

    Raises:
        ValueError: arrays of another shape than above, no case, a value that is not finite or not an event, a training
            case in a bin beyond C-1, or one of `train` and `hazards` without the other.
    """
    event, time = check_survival(event, time)
    risk = check_risk(risk, len(event))
    result: dict[str, Any] = dict.fromkeys(SURVIVAL.metrics)
    result |= {"n_events": int(event.sum()), "reasons": {}}
    reasons = result["reasons"]
    try:
        result["c_index"] = concordance(event, time, risk)
    except UndefinedMetricError as error:
        reasons["c_index"] = str(error)
    estimate = concordance_jackknife(event, time, risk) if with_interval else None
    no_limits = Interval(None, None, None, reasons.get("c_index", "not asked for"))
    limits = no_limits if estimate is None else logit_interval([estimate])
    result |= {"c_index_low": limits.low, "c_index_high": limits.high}
    if limits.reason is not None:
        reasons |= dict.fromkeys(("c_index_low", "c_index_high"), limits.reason)
    try:
        result["logrank_p"] = logrank_p(event, time, risk_halves(risk))
    except UndefinedMetricError as error:
        reasons["logrank_p"] = str(error)
    _add_corrected_for_censoring(result, event, time, risk, train, hazards, edges)
    return result


def _add_corrected_for_censoring(
    result: dict[str, Any],
    event: np.ndarray,
    time: np.ndarray,
    risk: np.ndarray,
    train: TrainingOutcomes | None,
    hazards: np.ndarray | None,
    edges: np.ndarray | None,
) -> None:
    reasons = result["reasons"]
    if train is None and hazards is None:
        reasons |= dict.fromkeys(CORRECTED_FOR_CENSORING, NO_TRAINING_OUTCOMES)
        return
    if train is None or hazards is None:
        raise ValueError("expected both of train and hazards or none, got one of them")
    hazards = np.asarray(hazards, dtype=np.float64)
    if hazards.ndim != 2 or len(hazards) != len(event) or not np.isfinite(hazards).all():
        raise ValueError(f"hazards: expected finite numbers of shape ({len(event)}, C), got {hazards.shape}")
    try:
        edges = inner_bin_edges(train, n_bins=hazards.shape[1]) if edges is None else edges
    except UndefinedMetricError as error:
        reasons |= dict.fromkeys(CORRECTED_FOR_CENSORING, str(error))
        return
    survival = np.cumprod(1 - hazards, axis=1)[:, :-1]  # (n, C - 1)
    measures: dict[str, Callable[[], float]] = {
        "c_index_ipcw": lambda: uno_concordance(event, time, risk, train=train, tau=edges[-1]),
        "td_auc": lambda: dynamic_auc(event, time, risk, train=train, edges=edges),
        "ibs": lambda: integrated_brier(event, time, survival, train=train, edges=edges),
    }
    for name, measure in measures.items():
        try:
            result[name] = measure()
        except UndefinedMetricError as error:
            reasons[name] = str(error)


def classification_metrics(label: np.ndarray, prob: np.ndarray) -> dict[str, Any]:
    """Accuracy, balanced accuracy, macro F1 and AUC; the predicted class is the first one of the highest probability.

    Args:
        label: (n,) true class, an integer 0..C-1.
        prob: (n, C) class probabilities or any scores that rank cases; C at least 2.

    Returns:
        `acc`; `balanced_acc`, the mean recall over the classes present in `label`; `f1`, the mean over the classes
        present in `label` or among the predictions (scikit-learn's default for `average="macro"`); `auc`, of
        `prob[:, 1]` for two classes, else the mean over classes of one against the rest, which needs every class in
        `label` (ties count one half); and `reasons` {metric: why it is None}.

    Raises:
        ValueError: another shape, no case, a label that is no class, or a probability that is not finite.
    """
    label, prob = _check_classification(label, prob)
    predicted = prob.argmax(axis=1)
    present = np.unique(label)
    result: dict[str, Any] = {
        "acc": float(accuracy_score(label, predicted)),
        # Not balanced_accuracy_score: it warns when a class is predicted that no label holds.
        "balanced_acc": float(recall_score(label, predicted, labels=present, average="macro", zero_division=0)),
        "f1": float(f1_score(label, predicted, average="macro", zero_division=0)),
        "auc": None,
        "reasons": {},
    }
    try:
        result["auc"] = _auc(label, prob)
    except UndefinedMetricError as error:
        result["reasons"]["auc"] = str(error)
    return result


def missing_classes(label: np.ndarray, n_classes: int) -> str | None:
    """Why an AUC over all classes is undefined for these labels (`only class 1 among the labels`), None if it is not.

    >>> missing_classes(np.array([0, 2, 2]), n_classes=4)
    'no case of class 1, 3 among the labels'
    """
    present = np.unique(label)
    if len(present) == 1:
        return f"only class {present[0]} among the labels"
    absent = [str(index) for index in range(n_classes) if index not in present]
    return f"no case of class {', '.join(absent)} among the labels" if absent else None


def _auc(label: np.ndarray, prob: np.ndarray) -> float:
    n_classes = prob.shape[1]
    reason = missing_classes(label, n_classes)
    if reason is not None:
        raise UndefinedMetricError(reason)
    if n_classes == 2:
        return float(roc_auc_score(label, prob[:, 1]))
    # Equals roc_auc_score(multi_class="ovr"), which refuses rows whose sum is off by more than 1e-5 (16-bit softmax).
    return float(np.mean([roc_auc_score(label == index, prob[:, index]) for index in range(n_classes)]))


def _check_classification(label: np.ndarray, prob: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    label, prob = np.asarray(label), np.asarray(prob, dtype=np.float64)
    if prob.ndim != 2 or prob.shape[0] < 1 or prob.shape[1] < 2:
        raise ValueError(f"prob: expected shape (n, C) with n >= 1 and C >= 2, got {prob.shape}")
    if label.shape != (len(prob),):
        raise ValueError(f"label: expected shape ({len(prob)},), got {label.shape}")
    if not np.isfinite(prob).all():
        raise ValueError("prob: expected finite numbers")
    if not np.isin(label, range(prob.shape[1])).all():
        raise ValueError(f"label: expected integers from 0 to {prob.shape[1] - 1}")
    return label.astype(np.int64), prob
