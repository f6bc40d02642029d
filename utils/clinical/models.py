"""The three models of the clinical question: the model's risk alone, the covariates alone, and both."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import chi2

from utils.clinical.predicted_cases import PredictedCases
from utils.statistics.cox import cox
from utils.statistics.logistic import logistic
from utils.statistics.regression import Regression
from utils.statistics.survival_stats import UndefinedMetricError

RISK, COVARIATES, BOTH = MODELS = ("risk", "covariates", "both")
RISK_TERM = "model's risk, per SD"
SHARED_TRAINING_FACTOR = 2.0  # by which the variance of a score over folds may be larger than over independent ones


def regress(cases: PredictedCases, columns: np.ndarray, names: Sequence[str]) -> Regression:
    """Cox's model stratified by fold, or the logistic one with an intercept for each fold.

    Args:
        cases: n cases.
        columns: (n, p).
        names: (p,) of the columns, for reasons.

    Raises:
        UndefinedMetricError: see `utils.statistics.cox.cox` and `utils.statistics.logistic.logistic`.
    """
    if cases.time is not None:
        return cox(cases.outcome, cases.time, columns, strata=cases.fold, names=names)
    return logistic(cases.outcome, columns, strata=cases.fold, names=names)


def standardised_within_folds(score: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """(n,) the score less the mean of its fold, over the standard deviation of its fold; 0 in a fold of equal scores.

    The models of two folds have scores on scales of their own; per standard deviation of the fold they can be put into
    one regression.

    >>> standardised_within_folds(np.array([1.0, 3.0, 10.0, 30.0]), np.array([0, 0, 1, 1])).tolist()
    [-1.0, 1.0, -1.0, 1.0]
    """
    result = np.zeros(len(score))
    for name in np.unique(fold):
        own = fold == name
        if np.ptp(score[own]) > 0:  # a deviation of equal scores may be above 0 by rounding
            result[own] = (score[own] - score[own].mean()) / score[own].std()
    return result


def columns_of(model: str, risk: np.ndarray, covariates: np.ndarray) -> np.ndarray:
    """(n, p) of a model: the risk (n,) first where it has one, then the covariates (n, q)."""
    parts = {RISK: [risk[:, None]], COVARIATES: [covariates], BOTH: [risk[:, None], covariates]}
    return np.concatenate(parts[model], axis=1)


def names_of(model: str, terms: Sequence[str]) -> tuple[str, ...]:
    """(p,) the names of the columns of a model, from those of the covariates (q,)."""
    return {RISK: (RISK_TERM,), COVARIATES: tuple(terms), BOTH: (RISK_TERM, *terms)}[model]


def fit_models(cases: PredictedCases, covariates: np.ndarray, terms: Sequence[str]) -> dict[str, Any]:
    """The models of n cases, and the likelihood-ratio tests between them, as JSON values.

    Args:
        cases: n cases.
        covariates: (n, q) the columns of the design.
        terms: (q,) their names.

    Returns:
        `models` {model: `terms` (list of `term`, `effect`: the hazard or odds ratio, `low`, `high`, `p`),
        `log_likelihood`, `reason`}, and `tests`: `risk_added` (both against the covariates alone) and
        `covariates_added` (both against the risk alone), each with `statistic`, `df`, `p`, `reason`; that of the risk
        also with `p_corrected`, null for cases of one fold, see `_corrected`.
    """
    risk = standardised_within_folds(cases.score, cases.fold)
    names = {model: names_of(model, terms) for model in MODELS}
    fitted: dict[str, Regression | str] = {}
    for model in MODELS:
        try:
            fitted[model] = regress(cases, columns_of(model, risk, covariates), names[model])
        except UndefinedMetricError as error:
            fitted[model] = str(error)
    models = {model: _as_record(found, names[model]) for model, found in fitted.items()}
    tests = {
        "risk_added": _corrected(_likelihood_ratio(models, BOTH, COVARIATES), len(np.unique(cases.fold))),
        "covariates_added": _likelihood_ratio(models, BOTH, RISK),
    }
    return {"models": models, "tests": tests}


def _as_record(found: Regression | str, names: Sequence[str]) -> dict[str, Any]:
    if isinstance(found, str):
        terms = [dict.fromkeys(("effect", "low", "high", "p")) | {"term": name} for name in names]
        return {"terms": terms, "log_likelihood": None, "reason": found}
    terms = [
        {
            "term": name,
            "effect": _ratio(found.effect[index]),
            "low": _ratio(found.low[index]),
            "high": _ratio(found.high[index]),
            "p": float(found.p[index]),
        }
        for index, name in enumerate(names)
    ]
    return {"terms": terms, "log_likelihood": found.log_likelihood, "reason": None}


def _ratio(logarithm: float) -> float:
    return math.exp(min(max(float(logarithm), -700.0), 700.0))  # within float64, and so in JSON


def _likelihood_ratio(models: Mapping[str, Any], full: str, part: str) -> dict[str, Any]:
    """`2 (log L_full - log L_part)` and its p value, chi-squared with the covariates that the part lacks."""
    reason = models[full]["reason"] or models[part]["reason"]
    if reason:
        return {"statistic": None, "df": None, "p": None, "reason": reason}
    statistic = max(2 * (models[full]["log_likelihood"] - models[part]["log_likelihood"]), 0.0)
    df = len(models[full]["terms"]) - len(models[part]["terms"])
    return {"statistic": statistic, "df": df, "p": float(chi2.sf(statistic, df)), "reason": None}


def _corrected(test: dict[str, Any], n_folds: int) -> dict[str, Any]:
    """The test of the risk with `p_corrected`, of half the statistic: for models that share training cases.

    The risk of fold k comes from a model of the outcomes of the other folds. Where the risk says nothing, the score of
    the test is, to first order in the outcomes y, `T = sum_{j != k} y_k' B_kj y_j`. The usual test takes the folds for
    independent, with the variance `sum_{j != k} Var(y_k' B_kj y_j)`. But the pair (j, k) is there twice, as
    `y_k' B_kj y_j` and `y_j' B_jk y_k`, and by Cauchy and Schwarz their covariance adds at most as much again (it does
    for a linear model, where B_kj is the transpose of B_jk). So the statistic is too large by a factor of 2 at most.
    `benchmarks/clinical_size.py` shows it. Cases of one fold share no training with each other: nothing to correct.
    """
    if test["p"] is None or n_folds < 2:
        return test | {"p_corrected": None}
    return test | {"p_corrected": float(chi2.sf(test["statistic"] / SHARED_TRAINING_FACTOR, test["df"]))}
