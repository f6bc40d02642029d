"""How well the risk, a clinical baseline and both rank test cases, each fitted without the cases that it ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from utils.clinical.models import (
    BOTH,
    COVARIATES,
    MODELS,
    RISK,
    columns_of,
    names_of,
    regress,
    standardised_within_folds,
)
from utils.clinical.predicted_cases import PredictedCases
from utils.statistics.fold_pairs import concordance_difference, concordance_within_folds
from utils.statistics.survival_stats import UndefinedMetricError

# What each difference says, from the first to the second model.
DIFFERENCES = {"risk_added": (BOTH, COVARIATES), "risk_instead": (RISK, COVARIATES)}
_FAR = 1e6  # beyond any sum of effects: a group without an event in the fit ranks last


def discrimination(cases: PredictedCases, covariates: np.ndarray, terms: Sequence[str]) -> dict[str, Any]:
    """C-index or AUC of the three models, and differences between them, as JSON values.

    The risk of a test case comes from a model that was trained without it. So that the clinical baseline is as honest,
    it is cross-fitted: the cases of a fold are ranked by coefficients of the cases of the other folds.

    Args:
        cases: n cases.
        covariates: (n, q) the columns of the design.
        terms: (q,) their names, for reasons.

    Returns:
        `models` {model: `value`, `low`, `high`, `reason`} and `differences` {name of `DIFFERENCES`: the same}.
    """
    scores: dict[str, np.ndarray | str] = {RISK: cases.score}
    for model in (COVARIATES, BOTH):
        try:
            scores[model] = cross_fitted(cases, covariates, terms, model)
        except UndefinedMetricError as error:
            scores[model] = str(error)
    return {
        "models": {model: _measured(cases, scores[model]) for model in MODELS},
        "differences": {name: _measured(cases, *(scores[one] for one in two)) for name, two in DIFFERENCES.items()},
    }


def cross_fitted(cases: PredictedCases, covariates: np.ndarray, terms: Sequence[str], model: str) -> np.ndarray:
    """(n,) `x b` of each case, with b of the model that is fitted to the cases of the other folds.

    A group that none of those cases is of gets no effect of its own, as if its cases were of the group that others are
    compared with. A group of those cases without an event (or of one class) has an infinite effect: it is ranked below
    (or above) all others, and left out of the fit.

    Raises:
        UndefinedMetricError: all cases are of one fold; a model cannot be fitted.
    """
    risk = standardised_within_folds(cases.score, cases.fold)
    columns, names = columns_of(model, risk, covariates), names_of(model, terms)
    folds = np.unique(cases.fold)
    if len(folds) < 2:
        raise UndefinedMetricError(
            f"the cases are all of fold {folds[0]}, and there are none of others to fit the covariates to"
        )
    score = np.zeros(len(columns))
    for fold in folds:
        own = cases.fold == fold
        try:
            score[own] = columns[own] @ _effects(cases, columns, names, ~own)
        except UndefinedMetricError as error:
            raise UndefinedMetricError(
                f"without the cases of fold {fold} the model has no estimate: {error}"
            ) from error
    return score


def _effects(cases: PredictedCases, columns: np.ndarray, names: Sequence[str], fitted: np.ndarray) -> np.ndarray:
    """(p,) coefficients of the cases `fitted` (n,) bool."""
    effects = np.zeros(columns.shape[1])
    kept = fitted.copy()
    for index in np.flatnonzero(np.isin(columns, (0.0, 1.0)).all(axis=0)):  # dummies of groups
        group = fitted & (columns[:, index] == 1)
        n_cases, n_events = int(group.sum()), int(cases.outcome[group].sum())
        if n_cases and n_events == 0:
            effects[index] = -_FAR
        elif n_cases and n_events == n_cases and not cases.is_survival:
            effects[index] = _FAR
        if effects[index]:
            kept &= ~group
    varying = np.ptp(columns[kept], axis=0) > 0 if kept.any() else np.zeros(len(effects), dtype=bool)
    free = np.flatnonzero(varying & (effects == 0))
    if len(free):
        effects[free] = regress(cases.only(kept), columns[kept][:, free], [names[index] for index in free]).effect
    return effects


def _measured(cases: PredictedCases, *scores: np.ndarray | str) -> dict[str, Any]:
    """The concordance of a score, or the difference of two; a text in place of a score is why there is none."""
    reasons = [score for score in scores if isinstance(score, str)]
    known = [score for score in scores if not isinstance(score, str)]
    measure = concordance_within_folds if len(scores) == 1 else concordance_difference
    try:
        if reasons:
            raise UndefinedMetricError(reasons[0])
        return asdict(measure(*cases.event_and_time, cases.fold, *known))
    except UndefinedMetricError as error:
        return {"value": None, "low": None, "high": None, "reason": str(error)}
