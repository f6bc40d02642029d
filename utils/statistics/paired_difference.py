"""The difference of two models on the same test cases: over seeds, folds and patients, with interval and p value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as t_distribution

from utils.errors import UserError
from utils.runs.tasks import TASKS
from utils.statistics.delete_one import DeleteOne, delete_one_patient
from utils.statistics.interval import shared_training
from utils.statistics.metric_intervals import why_undefined
from utils.statistics.same_cases import aligned
from utils.statistics.survival_stats import UndefinedMetricError

_TASK_OF_METRIC = {metric: task for task in TASKS.values() for metric in task.compared}
_ROUNDING = 1e-12  # a smaller mean is 0 (sums in another order): no two metrics of a table are so close, but equal
_LEVEL = 0.95
ONE_SEED = "one seed: how much another training run would change the difference is not known"


@dataclass(frozen=True)
class PairedDifference:
    """How much better one model is than another.

    Attributes:
        difference: metric of the first model minus that of the second, averaged over seeds, then over folds.
        low, high: 95 % limits; None where `reason` says that there is no variance to compute them from.
        p: two-sided p value of "no difference"; None with one seed, or without limits.
        reason: why p, or p and the limits, are None.
        ours, other: the mean of each model over the same folds and seeds; their difference is `difference`.
        by_seed: {seed: mean difference over the folds that it has}; a seed that lacks a fold is of other patients.
        standard_error, degrees: of the t distribution; None without limits.
        n_cases: different patients of the folds.
        n_folds, n_seeds, n_pairs: folds, seeds, and pairs of them that both models have and that define the metric.
        left_out: {fold: why it does not define the metric}.
    """

    difference: float
    low: float | None
    high: float | None
    p: float | None
    reason: str | None
    ours: float
    other: float
    by_seed: Mapping[int, float]
    standard_error: float | None
    degrees: float | None
    n_cases: int
    n_folds: int
    n_seeds: int
    n_pairs: int
    left_out: Mapping[int, str]


Predictions = Mapping[tuple[int, int], pd.DataFrame]


@dataclass(frozen=True)
class FoldPair:
    """Both models on one fold: `values` {(model, seed): its metric and influences}; the seeds are those of both."""

    seeds: tuple[int, ...]
    patients: np.ndarray
    values: Mapping[tuple[str, int], DeleteOne]

    def metric(self, model: str) -> np.ndarray:
        """(seeds,)."""
        return np.array([self.values[model, seed].value for seed in self.seeds])

    def influence(self, model: str) -> np.ndarray:
        """(seeds, patients); see `utils.statistics.delete_one.DeleteOne`."""
        return np.stack([self.values[model, seed].influence for seed in self.seeds])


def paired_difference(ours: Predictions, other: Predictions, metric: str) -> PairedDifference:
    """Compare two models over the seeds, folds and patients that both have.

    With m(model, s, k) the metric of fold k and seed s, K folds and S_k seeds of fold k, the difference is
    `d = mean_k mean_s (m(ours, s, k) - m(other, s, k))`, and its variance `V = P + (1 - 1/K) max(0, P - E) + max(0, B -
    E)`.

    - Patients: `P = K^-2 sum_p (sum_k mean_s (u_p(ours, s, k) - u_p(other, s, k)))^2`, with the influence u_p of
      patient p on a metric (`utils.statistics.delete_one`): the jackknife variance for the trained models as they are.
      A patient who is in the test part of several folds counts once.
    - Seeds: `B = K^-2 sum_k b / S_k`, b the mean over folds of `sum_model var_s m(model, s, k)`, var_s with S_k - 1
      below; a fold of one seed takes b from the others. Two trainings also differ by chance on the patients that
      happen to be in the fold, which P has already: `E = K^-2 sum_k e / S_k`, e the mean over folds of
      `sum_model sum_p var_s u_p(model, s, k)`, is that part of either variance, as in studies of several readers.
    - Folds: the model of a fold was trained on the test cases of the others, so that the d_k of folds are correlated:
      by `1/K` if, as Nadeau and Bengio propose, the share of the test cases among all is taken for the correlation
      (`utils.statistics.interval.shared_training`; K is the number of folds that are there). The part E is spared: it
      is of single trainings, which are independent. Without this term, two ridge regressions on noise differ
      "significantly" in 14 % of cross-validations (`python -m benchmarks.comparison_size`).

    `d / sqrt(V)` is compared with a t distribution of `V^2 / (V_1^2 / f_1 + V_2^2 / f_2)` degrees of freedom
    (Satterthwaite), V_2 the last term of V and V_1 the others, `f_1 = patients - K` and `f_2 = 2 sum_k (S_k - 1)`. With
    one seed in every fold B and E are not known: both are taken as 0 in the limits, and there is no p. A difference
    that no patient changes, such as that of equal predictions, has no variance, and neither limits nor p.

    Args:
        ours: {(seed of the run, fold): predictions as of `utils.runs.predictions.read_predictions`}.
        other: the same of the other model, for the same test cases in any order.
        metric: `c_index` (survival), `acc`, `f1` or `auc` (classification), as in `utils.statistics.metrics`.

    Raises:
        UserError: an unknown metric, no seed and fold in common, predictions of the other task, or tables of one fold
            that differ in their cases or outcomes (the first difference is named).
        UndefinedMetricError: no fold defines the metric.

    References:
        Nadeau, Bengio: Inference for the generalization error. Machine Learning 52(3), 239-281, 2003.
        Obuchowski, Rockette: Hypothesis testing of diagnostic accuracy for multiple readers and multiple tests: an
        ANOVA approach with dependent observations. Communications in Statistics - Simulation and Computation 24(2),
        285-308, 1995. Here a reader is a training run.
        Satterthwaite: An approximate distribution of estimates of variance components. Biometrics Bulletin 2(6),
        110-114, 1946.
    """
    if metric not in _TASK_OF_METRIC:
        raise UserError(f"metric {metric!r} cannot be compared: expected one of {', '.join(_TASK_OF_METRIC)}")
    pairs = sorted(ours.keys() & other.keys())
    if not pairs:
        raise UserError(
            f"the two models have no seed and fold in common (ours: {_listed(ours)}; other: {_listed(other)}): train "
            "both with the same --seed and folds"
        )
    folds: dict[int, FoldPair] = {}
    left_out: dict[int, str] = {}
    for fold in sorted({fold for _, fold in pairs}):
        seeds = tuple(run_seed for run_seed, of_pair in pairs if of_pair == fold)
        models = (("ours", ours), ("other", other))
        own = {(name, run_seed): model[run_seed, fold] for run_seed in seeds for name, model in models}
        tables = aligned(own, fold, _TASK_OF_METRIC[metric])
        values = {key: delete_one_patient(metric, table) for key, table in tables.items()}
        first, table = next(iter(values.values())), next(iter(tables.values()))
        if np.isnan(first.value):
            left_out[fold] = why_undefined(table)
        else:
            folds[fold] = FoldPair(seeds, first.patients, values)
    if not folds:
        raise UndefinedMetricError(f"undefined in every fold ({'; '.join(dict.fromkeys(left_out.values()))})")
    return difference_of_folds(folds, left_out)


def difference_of_folds(folds: Mapping[int, FoldPair], left_out: Mapping[int, str]) -> PairedDifference:
    """The comparison of `paired_difference`, from the metrics and influences of each fold; of one fold at least."""
    means = {name: np.mean([fold.metric(name).mean() for fold in folds.values()]) for name in ("ours", "other")}
    difference = _rounded(float(np.mean([(f.metric("ours") - f.metric("other")).mean() for f in folds.values()])))
    n_cases = len(np.unique(np.concatenate([fold.patients for fold in folds.values()])))
    seeds = sorted({seed for fold in folds.values() for seed in fold.seeds})
    limits = _limits(difference, list(folds.values()), n_cases)
    return PairedDifference(
        difference,
        **limits,
        ours=float(means["ours"]),
        other=float(means["other"]),
        by_seed={seed: _of_seed(folds.values(), seed) for seed in seeds},
        n_cases=n_cases,
        n_folds=len(folds),
        n_seeds=len(seeds),
        n_pairs=sum(len(fold.seeds) for fold in folds.values()),
        left_out=dict(left_out),
    )


def _limits(difference: float, folds: Sequence[FoldPair], n_cases: int) -> dict[str, Any]:
    """`low, high, p, reason, standard_error, degrees` of a difference."""
    nothing: dict[str, Any] = dict.fromkeys(("low", "high", "p", "standard_error", "degrees"))
    if all(_are_alike(fold) for fold in folds):
        return nothing | {"reason": "both models have the same value in each fold and seed, whoever is left out"}
    alone = patient_variance(folds)
    if np.isnan(alone):
        return nothing | {"reason": "the metric of a fold hangs on one patient, without whom it is undefined"}
    has_seeds = any(len(fold.seeds) > 1 for fold in folds)
    between, shared = seed_variances(folds) if has_seeds else (0.0, 0.0)
    of_patients = alone + (shared_training(len(folds)) - 1) * max(0.0, alone - shared)
    of_seeds = max(0.0, between - shared)
    variance = of_patients + of_seeds
    f_patients, f_seeds = n_cases - len(folds), 2 * sum(len(fold.seeds) - 1 for fold in folds)
    if variance < _ROUNDING**2 or f_patients < 1:
        return nothing | {"reason": "no patient changes the difference, so that it has no variance"}
    degrees = variance**2 / (of_patients**2 / f_patients + (of_seeds**2 / f_seeds if f_seeds else 0.0))
    error = sqrt(variance)
    reach = float(t_distribution.ppf((1 + _LEVEL) / 2, degrees)) * error
    p = float(2 * t_distribution.sf(abs(difference) / error, degrees)) if has_seeds else None
    low, high = max(-1.0, difference - reach), min(1.0, difference + reach)
    reason = None if has_seeds else ONE_SEED
    return {"low": low, "high": high, "p": p, "reason": reason, "standard_error": error, "degrees": degrees}


def patient_variance(folds: Sequence[FoldPair]) -> float:
    """P of `paired_difference`."""
    patients, place = np.unique(np.concatenate([fold.patients for fold in folds]), return_inverse=True)
    influences = [(fold.influence("ours") - fold.influence("other")).mean(axis=0) for fold in folds]
    of_patients = np.bincount(place, np.concatenate(influences), minlength=len(patients))
    return float((of_patients**2).sum()) / len(folds) ** 2


def seed_variances(folds: Sequence[FoldPair]) -> tuple[float, float]:
    """B and E of `paired_difference`; a fold has two seeds at least."""
    between, shared = [], []
    for fold in folds:
        if len(fold.seeds) > 1:
            both = ("ours", "other")
            between.append(sum(float(fold.metric(model).var(ddof=1)) for model in both))
            shared.append(sum(float(fold.influence(model).var(axis=0, ddof=1).sum()) for model in both))
    of_means = sum(1 / len(fold.seeds) for fold in folds) / len(folds) ** 2
    return float(np.mean(between)) * of_means, float(np.mean(shared)) * of_means


def _are_alike(fold: FoldPair) -> bool:
    """Whether the models have the same metric in each seed, whoever is left out, as equal predictions have."""
    values = np.abs(fold.metric("ours") - fold.metric("other"))
    influences = np.abs(fold.influence("ours") - fold.influence("other"))
    return bool((values < _ROUNDING).all() and (influences < _ROUNDING).all())


def _of_seed(folds: Iterable[FoldPair], seed: int) -> float:
    values = [
        fold.values["ours", seed].value - fold.values["other", seed].value for fold in folds if seed in fold.seeds
    ]
    return _rounded(float(np.mean(values)))


def _rounded(difference: float) -> float:
    return 0.0 if abs(difference) < _ROUNDING else difference


def _listed(predictions: Predictions) -> str:
    return ", ".join(f"seed {run_seed} fold {fold}" for run_seed, fold in sorted(predictions)) or "nothing"
