"""The mean ROC curve over folds, with a pointwise band and the interval of its area."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from utils.runs.predictions import output_columns
from utils.statistics.interval import NO_VARIANCE, Interval, logit_interval
from utils.statistics.metric_intervals import class_auc
from utils.statistics.metrics import missing_classes
from utils.statistics.resamples import resampled_patients
from utils.statistics.share_interval import independent_cases, wilson_limits
from utils.statistics.survival_stats import UndefinedMetricError

N_RATES = 101
N_RESAMPLES = 1000  # of the band


@dataclass(frozen=True)
class RocBand:
    """Sensitivity at each of G false positive rates.

    Attributes:
        false_positive: (G,) from 0 to 1.
        mean: (G,) mean over the folds.
        low, high: (G,) pointwise 95 % limits of the mean.
        folds: {fold: (false positive rates, true positive rates)}, the whole curve from (0, 0) to (1, 1).
        auc: {fold: area under its curve}.
        mean_auc: their mean with its 95 % interval.
        left_out: {fold: why it has no curve}.
        n_used, n_skipped: resamples with a curve in every fold, and those without.
    """

    false_positive: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    folds: dict[int, tuple[np.ndarray, np.ndarray]]
    auc: dict[int, float]
    mean_auc: Interval
    left_out: dict[int, str]
    n_used: int
    n_skipped: int


def roc_band(
    tables: Mapping[int, pd.DataFrame], positive: int, *, seed: int, n_resamples: int = N_RESAMPLES
) -> RocBand:
    """Mean over folds of `T_k(f)`, the sensitivity of fold k at false positive rate f, for class `positive`.

    `T_k` joins the points of the fold's ROC by straight lines (a tie of a positive and a negative is a slope); where
    the ROC rises at one rate, `T_k` is its upper end. The mean is over folds at equal f (vertical averaging), so scores
    of different models are never compared. A resample draws the patients (`case_id`) of each fold with replacement, a
    patient with all of its slides, and averages anew; a resample in which a fold has one class only is skipped.

    With V the variance of the mean sensitivity T over the resamples, the limits are Wilson's for T and
    `min(m, T (1 - T) / V)` cases, `m = K^2 / sum_k 1 / m_k`, m_k the `independent_cases` of class `positive` in fold k:
    the sensitivity at a known threshold has the variance of m cases, and that the threshold is estimated adds to it.
    Where T is 0 or 1 they are those of m cases, while percentiles of resamples would shrink to a point. The band takes
    folds for independent; the interval of the mean area does not (`utils.statistics.interval.logit_interval`).

    Args:
        tables: {fold: predictions of a classification run}.
        positive: the class that is told from all others, by `prob_{positive}`.
        seed: of the resamples.
        n_resamples: how many.

    Raises:
        UndefinedMetricError: no fold, or no resample, has cases of the class and of another one.

    References:
        Fawcett: An introduction to ROC analysis. Pattern Recognition Letters 27(8), 861-874, 2006, section 8.
    """
    grid = np.linspace(0, 1, N_RATES)
    folds: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    auc, left_out = {}, {}
    curves, estimates, sizes = [], [], []
    for fold, table in tables.items():
        is_positive = (table["label"] == positive).to_numpy()
        if is_positive.all() or not is_positive.any():
            reason = missing_classes(table["label"].to_numpy(), len(output_columns(table)))
            left_out[fold] = str(reason)
            continue
        score, patient = table[f"prob_{positive}"].to_numpy(), table["case_id"].to_numpy()
        of_fold = []
        for counts in resampled_patients(table, fold, seed=seed, n_resamples=n_resamples):
            false_rate, true_rate = roc_points(is_positive, score, counts)
            folds.setdefault(fold, (false_rate[0], true_rate[0]))  # the first ones are of the table itself
            of_fold += [np.interp(grid, f, t) for f, t in zip(false_rate, true_rate, strict=True)]
        estimate = class_auc(is_positive, score, patient)
        auc[fold] = estimate.value
        estimates.append(estimate)
        sizes.append(independent_cases(patient[is_positive]))
        curves.append(np.stack(of_fold))
    if not curves:
        reasons = "; ".join(dict.fromkeys(left_out.values()))
        raise UndefinedMetricError(f"no fold has cases of class {positive} and of another one ({reasons})")
    mean = np.mean(curves, axis=0)  # (1 + n_resamples, G)
    used = ~np.isnan(mean[1:, 0])
    if not used.any():
        raise UndefinedMetricError("every bootstrap resample has a fold of one class only")
    low, high = _limits(mean[0], mean[1:][used].var(axis=0), len(sizes) ** 2 / sum(1 / size for size in sizes))
    return RocBand(
        false_positive=grid,
        mean=mean[0],
        low=low,
        high=high,
        folds=folds,
        auc=auc,
        mean_auc=logit_interval(estimates),
        left_out=left_out,
        n_used=int(used.sum()),
        n_skipped=int((~used).sum()),
    )


def _limits(sensitivity: np.ndarray, variance: np.ndarray, n_cases: float) -> tuple[np.ndarray, np.ndarray]:
    """(G,) Wilson's limits of a sensitivity of `n_cases` at most, fewer as its variance says; the last rate is 1."""
    of_one = sensitivity * (1 - sensitivity)
    size = np.divide(of_one, variance, out=np.full_like(of_one, n_cases), where=(of_one > 0) & (variance > NO_VARIANCE))
    low, high = wilson_limits(sensitivity, np.minimum(size, n_cases))
    low[-1] = high[-1] = 1.0  # by definition, where all cases are called positive
    return low, high


def roc_points(is_positive: np.ndarray, score: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rates over the distinct scores, from above the highest to the lowest, for each resample.

    Args:
        is_positive: (n,) bool.
        score: (n,) higher = more likely positive.
        counts: (n_resamples, n) copies of each row.

    Returns:
        Two arrays (n_resamples, 1 + distinct scores), from 0 to 1; NaN where a resample has one class only.

    Scores .9 (positive), .4 (one of each) and .1 (negative):

    >>> rates = roc_points(np.array([True, True, False, False]), np.array([0.9, 0.4, 0.4, 0.1]), np.ones((1, 4)))
    >>> rates[0].tolist(), rates[1].tolist()
    ([[0.0, 0.0, 0.5, 1.0]], [[0.0, 0.5, 1.0, 1.0]])
    """
    order = np.argsort(-score)
    lasts = np.flatnonzero(np.diff(score[order], append=-np.inf))  # where each distinct score ends
    rates = []
    for chosen in (~is_positive[order], is_positive[order]):
        copies = counts[:, order[chosen]]
        of_class = np.zeros((len(counts), 1 + copies.shape[1]))
        np.cumsum(copies, axis=1, out=of_class[:, 1:])
        passed = of_class[:, np.cumsum(chosen)[lasts]]  # down to each distinct score
        total = passed[:, -1:]
        share = np.divide(passed, total, out=np.full(passed.shape, np.nan), where=total > 0)
        rates.append(np.concatenate([np.where(total > 0, 0.0, np.nan), share], axis=1))
    return rates[0], rates[1]
