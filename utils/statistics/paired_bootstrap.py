"""The difference of two models on the same test cases, with a paired bootstrap interval and p value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from utils.errors import UserError
from utils.machine.seed import derive_seed
from utils.runs.predictions import output_columns, task_of
from utils.runs.tasks import CLASSIFICATION, TASKS, Task
from utils.statistics.metrics import missing_classes
from utils.statistics.resampled_metrics import resampled_metric
from utils.statistics.survival_stats import UndefinedMetricError, resample_counts

_TASK_OF_METRIC = {metric: task for task in TASKS.values() for metric in task.compared}
_ROUNDING = 1e-12  # a smaller mean is 0 (sums in another order): no two metrics of a table are so close, but equal

Predictions = Mapping[tuple[int, int], pd.DataFrame]


@dataclass(frozen=True)
class PairedDifference:
    """How much better one model is than another.

    Attributes:
        difference: metric of the first model minus that of the second, averaged over seeds, then over folds.
        low, high: 2.5 and 97.5 percentile of the difference over the resamples.
        p: two-sided p value of "no difference".
        n_cases: patients, summed over the folds.
        n_folds, n_seeds: folds and seeds that both models have in common.
        n_resamples: resamples used.
        n_skipped: resamples in which a fold does not define the metric (one class only, no comparable pair).
    """

    difference: float
    low: float
    high: float
    p: float
    n_cases: int
    n_folds: int
    n_seeds: int
    n_resamples: int
    n_skipped: int


def paired_difference(
    ours: Predictions, other: Predictions, metric: str, *, seed: int, n_resamples: int = 1000
) -> PairedDifference:
    """Bootstrap the patients of each fold, with the same draw for both models and all seeds.

    With m(model, s, k) the metric of fold k and seed s, the statistic is
    `d = mean_k mean_s (m(ours, s, k) - m(other, s, k))` over the pairs (s, k) that both models have. A resample draws
    the patients (`case_id`) of each fold with replacement, a patient with all of its slides, and gives one d*; of B
    resamples with a d*, `p = min(1, 2 min((1 + #{d* <= 0}) / (B + 1), (1 + #{d* >= 0}) / (B + 1)))`. Equal predictions
    have difference 0 and p = 1. The interval holds the trained models fixed: it says how much the test patients
    matter, not how much another training run would.

    Args:
        ours: {(seed of the run, fold): predictions as of `utils.runs.predictions.read_predictions`}.
        other: the same of the other model, for the same test cases in any order.
        metric: `c_index` (survival), `acc`, `f1` or `auc` (classification), as in `utils.statistics.metrics`.
        seed: of the resamples.
        n_resamples: how many.

    Raises:
        UserError: an unknown metric, no seed and fold in common, predictions of the other task, or tables of one fold
            that differ in their cases or outcomes (the first difference is named).
        UndefinedMetricError: a fold does not define the metric, or no resample does.

    References:
        Efron, Tibshirani: An Introduction to the Bootstrap. Chapman & Hall, 1993, chapters 8, 13 and 16.
    """
    if metric not in _TASK_OF_METRIC:
        raise UserError(f"metric {metric!r} cannot be compared: expected one of {', '.join(_TASK_OF_METRIC)}")
    pairs = sorted(ours.keys() & other.keys())
    if not pairs:
        raise UserError(
            f"the two models have no seed and fold in common (ours: {_listed(ours)}; other: {_listed(other)}): train "
            "both with the same --seed and folds"
        )
    folds = sorted({fold for _, fold in pairs})
    differences, n_cases = [], 0
    for fold in folds:
        seeds = [run_seed for run_seed, of_pair in pairs if of_pair == fold]
        models = (("ours", ours), ("other", other))
        own = {(name, run_seed): model[run_seed, fold] for run_seed in seeds for name, model in models}
        tables = _aligned(own, fold, _TASK_OF_METRIC[metric])
        patients, patient_of_row = np.unique(next(iter(tables.values()))["case_id"], return_inverse=True)
        drawn = resample_counts(len(patients), n_resamples, derive_seed(seed, "paired bootstrap", fold))
        differences.append(_fold_differences(tables, fold, metric, drawn[:, patient_of_row]))
        n_cases += len(patients)
    means = np.mean(differences, axis=0)  # (1 + n_resamples,)
    means[np.abs(means) < _ROUNDING] = 0.0
    used = means[1:][~np.isnan(means[1:])]
    if len(used) == 0:
        raise UndefinedMetricError(f"{metric} is undefined in a fold of every bootstrap resample")
    low, high = np.percentile(used, (2.5, 97.5))
    sizes = {"n_cases": n_cases, "n_folds": len(folds), "n_seeds": len({run_seed for run_seed, _ in pairs})}
    counted = {"n_resamples": len(used), "n_skipped": n_resamples - len(used)}
    return PairedDifference(float(means[0]), float(low), float(high), _two_sided_p(used), **sizes, **counted)


def _fold_differences(
    tables: Mapping[tuple[str, int], pd.DataFrame], fold: int, metric: str, counts: np.ndarray
) -> np.ndarray:
    """(1 + n_resamples,): the mean over seeds of ours minus other, of the fold itself and of each resample."""
    with_whole = np.concatenate([np.ones((1, counts.shape[1])), counts])
    values = {key: resampled_metric(metric, table, with_whole) for key, table in tables.items()}
    if np.isnan(next(iter(values.values()))[0]):
        table = next(iter(tables.values()))
        reason = "no comparable pair"
        if metric == "auc":
            reason = str(missing_classes(table["label"].to_numpy(), len(output_columns(table))))
        raise UndefinedMetricError(f"{metric} is undefined in fold {fold}: {reason}")
    return np.mean([values["ours", s] - values["other", s] for name, s in values if name == "ours"], axis=0)


def _two_sided_p(resampled: np.ndarray) -> float:
    smaller = min((resampled <= 0).sum(), (resampled >= 0).sum())
    return min(1.0, 2 * (1 + int(smaller)) / (len(resampled) + 1))


def _aligned(
    tables: Mapping[tuple[str, int], pd.DataFrame], fold: int, task: Task
) -> dict[tuple[str, int], pd.DataFrame]:
    """The tables {(model, seed): table} of one fold with their rows in the same order; refused where cases differ."""
    aligned: dict[tuple[str, int], pd.DataFrame] = {}
    for (name, run_seed), table in tables.items():
        where = f"fold {fold}, seed {run_seed}, {name}"
        if task_of(table) != task:
            raise UserError(f"{where}: predictions of task {task_of(table).name}, expected {task.name} for this metric")
        twice = table[task.row_id][table[task.row_id].duplicated()]
        if len(twice):
            raise UserError(f"{where}: {twice.iloc[0]} stands in two rows of the predictions, expected one")
        ordered = table.sort_values(task.row_id, ignore_index=True)
        if aligned:
            (first_name, first_seed), first = next(iter(aligned.items()))
            problem = _first_difference(first, ordered, task)
            if problem is not None:
                raise UserError(
                    f"fold {fold}: {problem} (the first table is of {first_name} with seed {first_seed}, the second of "
                    f"{name} with seed {run_seed}); compare runs on the same splits and slides"
                )
        aligned[name, run_seed] = ordered
    return aligned


def _first_difference(first: pd.DataFrame, second: pd.DataFrame, task: Task) -> str | None:
    """The first case or outcome that differs between two tables in the same order, in words."""
    row = task.row_id
    alone = sorted(set(first[row]) ^ set(second[row]))
    if alone:
        if task == CLASSIFICATION and _slides(first) == _slides(second):
            return "a row is a slide in one table and a patient in the other, as their --unit says"
        which = "first" if alone[0] in set(first[row]) else "second"
        return f"{alone[0]} is among the cases of the {which} table only ({len(alone)} cases are in one table only)"
    for name in ("case_id", *task.outcome):  # what both models must say of a row
        differs = (first[name] != second[name]).to_numpy()
        if differs.any():
            at = int(np.argmax(differs))
            return f"{first[row].iloc[at]} has {name} {first[name].iloc[at]} and {second[name].iloc[at]}"
    if task == CLASSIFICATION and output_columns(first) != output_columns(second):
        return f"{len(output_columns(first))} classes and {len(output_columns(second))} classes"
    return None


def _slides(table: pd.DataFrame) -> set[str]:
    return set(";".join(table["slide_ids"]).split(";"))


def _listed(predictions: Predictions) -> str:
    return ", ".join(f"seed {run_seed} fold {fold}" for run_seed, fold in sorted(predictions)) or "nothing"
