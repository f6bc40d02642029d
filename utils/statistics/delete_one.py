"""A metric without each patient in turn, and the jackknife variance that follows from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np
import pandas as pd

from utils.runs.predictions import output_columns
from utils.statistics.concordant_pairs import concordant_pairs
from utils.statistics.delong import wins
from utils.statistics.survival_stats import TIED_RISK, check_risk, check_survival


@dataclass(frozen=True)
class DeleteOne:
    """A metric of the P patients of a prediction table, and of P - 1 of them.

    Attributes:
        value: the metric of all; NaN where it is undefined.
        without: (P,) the metric without each patient; NaN where it is undefined.
        patients: (P,) their identifiers (`case_id`), sorted.
    """

    value: float
    without: np.ndarray
    patients: np.ndarray

    @property
    def influence(self) -> np.ndarray:
        """(P,) `u_p = sqrt((P - 1) / P) (mean_q m_(q) - m_(p))`, m_(p) the metric without patient p; they sum to 0.

        NaN where the metric is undefined without some patient.

        The sum of squares is the jackknife variance of the metric, and that of `u_p - v_p` of two metrics of the same
        patients the variance of their difference.
        """
        n_patients = len(self.patients)
        centred: np.ndarray = self.without.mean() - self.without
        return sqrt((n_patients - 1) / n_patients) * centred


def delete_one_patient(metric: str, table: pd.DataFrame) -> DeleteOne:
    """`c_index` of a survival table, or `acc`, `f1` or `auc` of a classification table, without each patient in turn.

    A patient (`case_id`) is left out with all rows of the table. The metrics are those of `utils.statistics.metrics`;
    they are sums over rows or pairs, from which the share of a patient is taken away, so that nothing is computed P
    times.

    References:
        Efron, Tibshirani: An Introduction to the Bootstrap. Chapman & Hall, 1993, chapter 11.
    """
    patients, patient = np.unique(table["case_id"].to_numpy(dtype=str), return_inverse=True)
    if metric == "c_index":
        event, time, risk = (table[name].to_numpy() for name in ("event", "time", "risk"))
        values = concordances(event, time, risk, np.argsort(patient))
    else:
        label, prob = table["label"].to_numpy(), table[output_columns(table)].to_numpy(dtype=np.float64)
        values = _CLASSIFICATION[metric](label, prob, patient)
    return DeleteOne(float(values[0]), values[1:], patients)


def pairs_of_cases(event: np.ndarray, time: np.ndarray, risk: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) concordant and (n,) comparable pairs that each case is part of, a tie in risk counted one half.

    Which pairs are comparable says `utils.statistics.survival_stats.concordance`. Each pair is counted at both of its
    cases, so Harrell's C is the quotient of the sums. See `utils.statistics.concordant_pairs`.
    """
    event, time = check_survival(event, time)
    pairs = concordant_pairs(event, time, check_risk(risk, len(event)), tied_within=TIED_RISK)
    return pairs.outlived_won + pairs.outliving_won, (pairs.outlived + pairs.outliving).astype(np.float64)


def concordances(event: np.ndarray, time: np.ndarray, risk: np.ndarray, row: np.ndarray) -> np.ndarray:
    """(1 + n,): Harrell's C of all cases, then without each in the order of `row`; a patient has one in survival."""
    concordant, comparable = (part[row] for part in pairs_of_cases(event, time, risk))
    won, pairs = concordant.sum() / 2, comparable.sum() / 2
    return _quotient(won - np.append(0.0, concordant), pairs - np.append(0.0, comparable))


def _accuracies(label: np.ndarray, prob: np.ndarray, patient: np.ndarray) -> np.ndarray:
    right = (prob.argmax(axis=1) == label).astype(np.float64)
    return _quotient(_totals(right, patient), _totals(np.ones(len(label)), patient))


def _macro_f1s(label: np.ndarray, prob: np.ndarray, patient: np.ndarray) -> np.ndarray:
    """Mean of `2 TP / (2 TP + FP + FN)` over the classes among the labels or predictions that are left."""
    predicted, n_left = prob.argmax(axis=1), _totals(np.ones(len(label)), patient)
    total, n_named = np.zeros(len(n_left)), np.zeros(len(n_left))
    for index in range(prob.shape[1]):
        is_true, is_predicted = label == index, predicted == index
        named = _totals(is_true.astype(np.float64) + is_predicted, patient)
        right = _totals((is_true & is_predicted).astype(np.float64), patient)
        total += np.divide(2 * right, named, out=np.zeros_like(named), where=named > 0)
        n_named += named > 0
    return _quotient(total, np.where(n_left > 0, n_named, 0))


def aucs(label: np.ndarray, prob: np.ndarray, patient: np.ndarray) -> np.ndarray:
    """Of class 1, or beyond two classes the mean of each class against the rest."""
    classes = [1] if prob.shape[1] == 2 else range(prob.shape[1])
    return np.mean([_auc(label == index, prob[:, index], patient) for index in classes], axis=0)


def _auc(positive: np.ndarray, score: np.ndarray, patient: np.ndarray) -> np.ndarray:
    """(1 + P,): pairs won over pairs, of all and without each patient."""
    beaten = np.where(positive, wins(score, score[~positive]), 0.0)  # by each positive row
    lost = np.where(positive, 0.0, positive.sum() - wins(score, score[positive]))  # of each other row
    won = beaten.sum() - np.append(0.0, np.bincount(patient, beaten + lost))
    # A pair within a patient was taken away twice.
    mixed = np.isin(patient, np.intersect1d(patient[positive], patient[~positive]))
    rows = np.flatnonzero(mixed)[np.argsort(patient[mixed], kind="stable")]
    for own in np.split(rows, np.flatnonzero(np.diff(patient[rows])) + 1) if len(rows) else ():
        won[1 + patient[own[0]]] += wins(score[own[positive[own]]], score[own[~positive[own]]]).sum()
    pairs = _totals(positive.astype(np.float64), patient) * _totals((~positive).astype(np.float64), patient)
    return _quotient(won, pairs)


def _totals(values: np.ndarray, patient: np.ndarray) -> np.ndarray:
    """(1 + P,): the sum over all rows, then without those of each patient."""
    return values.sum() - np.append(0.0, np.bincount(patient, values))


def _quotient(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


_CLASSIFICATION: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    "acc": _accuracies,
    "f1": _macro_f1s,
    "auc": aucs,
}
