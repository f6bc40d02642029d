"""Test folds with known true metrics, for `benchmarks.coverage`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd

_NORMAL = NormalDist()
# Exponential times with the hazard ratio exp(slope) for each unit of a standard normal risk, exponential censoring of
# this mean: 40 % are censored, and the C-index is that of the name (found by bisection on 60 cohorts of 2,000 cases).
_SURVIVAL = {0.6: (0.3632, 1.510), 0.8: (1.4957, 1.757)}


@dataclass(frozen=True)
class Setting:
    """A population of which test folds are drawn.

    Attributes:
        words: what it is, for the table.
        draw: (generator, cases) -> predictions of one fold, each case of another patient.
        truth: {metric: its value in the population}.
    """

    words: str
    draw: Callable[[np.random.Generator, int], pd.DataFrame]
    truth: dict[str, float]


def settings() -> Iterator[Setting]:
    """Two classes by AUC and prevalence, three classes, and survival by C-index."""
    for prevalence in (0.5, 0.2):
        for auc in (0.65, 0.85, 0.97):
            yield two_classes(auc, prevalence)
    yield three_classes()
    for concordance in _SURVIVAL:
        yield survival(concordance)


def two_classes(auc: float, prevalence: float) -> Setting:
    """Binormal scores of equal variance, as the logistic probability of class 1; folds are stratified by class.

    With d the distance of the means, `AUC = Phi(d / sqrt 2)`; class 1 is predicted where the score is above
    `d / 2 + log((1 - prevalence) / prevalence) / d`, from which accuracy and macro F1 follow.
    """
    distance = np.sqrt(2) * _NORMAL.inv_cdf(auc)
    odds = np.log(prevalence / (1 - prevalence))
    cut = distance / 2 - odds / distance
    hit, alarm = 1 - _NORMAL.cdf(cut - distance), 1 - _NORMAL.cdf(cut)  # sensitivity, 1 - specificity
    tp, fp = prevalence * hit, (1 - prevalence) * alarm
    fn, tn = prevalence - tp, 1 - prevalence - fp
    f1 = (2 * tp / (2 * tp + fp + fn) + 2 * tn / (2 * tn + fp + fn)) / 2

    def draw(generator: np.random.Generator, n_cases: int) -> pd.DataFrame:
        label = (np.arange(n_cases) < round(n_cases * prevalence)).astype(np.int64)
        score = distance * (generator.normal(size=n_cases) + distance * label) - distance**2 / 2 + odds
        prob = 1 / (1 + np.exp(-score))
        return pd.DataFrame({"case_id": np.arange(n_cases), "label": label, "prob_0": 1 - prob, "prob_1": prob})

    words = f"AUC {auc}, prevalence {prevalence}"
    return Setting(words, draw, {"auc": auc, "acc": float(tp + tn), "f1": float(f1)})


def three_classes(sample: int = 3_000_000) -> Setting:
    """Three classes of equal size, each with a score of unit variance that is higher by 2; AUC of a large sample."""

    def draw(generator: np.random.Generator, n_cases: int) -> pd.DataFrame:
        label = np.arange(n_cases) % 3
        score = np.exp(2 * (generator.normal(size=(n_cases, 3)) + 2 * np.eye(3)[label]))  # logits of the true classes
        prob = score / score.sum(axis=1, keepdims=True)
        columns = {f"prob_{index}": prob[:, index] for index in range(3)}
        return pd.DataFrame({"case_id": np.arange(n_cases), "label": label, **columns})

    large, of_class = draw(np.random.default_rng(1), sample), sample // 3
    ranks = [large[f"prob_{index}"].rank()[large["label"] == index].mean() for index in range(3)]
    aucs = [(rank - (of_class + 1) / 2) / (2 * of_class) for rank in ranks]  # of Mann and Whitney
    return Setting("three classes", draw, {"auc": float(np.mean(aucs))})


def survival(concordance: float) -> Setting:
    """Deaths and censoring by exponential times; the hazard grows with the risk."""
    slope, censoring = _SURVIVAL[concordance]

    def draw(generator: np.random.Generator, n_cases: int) -> pd.DataFrame:
        risk = generator.normal(size=n_cases)
        death = generator.exponential(size=n_cases) / np.exp(slope * risk)
        end = generator.exponential(size=n_cases) * censoring
        columns = {"time": np.minimum(death, end), "event": (death <= end).astype(np.int64), "risk": risk}
        return pd.DataFrame({"case_id": np.arange(n_cases), **columns, "hazard_0": 0.5})

    return Setting(f"C-index {concordance}, 40 % censored", draw, {"c_index": concordance})
