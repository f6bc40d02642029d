from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sksurv.metrics import concordance_index_censored

from utils.runs.predictions import classification_table, survival_table
from utils.statistics.delete_one import delete_one_patient, pairs_of_cases
from utils.statistics.delong import auc_interval
from utils.tables.summary import fold_metrics


def _classification(n_classes: int, n: int, rng: np.random.Generator, slides_per_patient: int) -> pd.DataFrame:
    label = np.append(np.arange(n_classes), rng.integers(0, n_classes, n - n_classes))
    prob = rng.dirichlet(np.ones(n_classes), n).round(1)
    prob[:, 0] += 1 - prob.sum(axis=1)
    patients = [f"P{index // slides_per_patient}" for index in range(n)]
    return classification_table(patients, [[f"S{index}"] for index in range(n)], label, prob)


def _survival(n: int, rng: np.random.Generator) -> pd.DataFrame:
    ids = [f"P{index}" for index in range(n)]
    time, event = rng.integers(1, 9, n).astype(float), rng.random(n) < 0.6
    risk = rng.integers(0, 6, n).astype(float)
    return survival_table(ids, [[name] for name in ids], time, event, np.zeros(n), risk, np.full((n, 2), 0.5))


def _literal(metric: str, table: pd.DataFrame) -> dict[str, float]:
    """The metric of the table without the rows of each patient, one table after the other."""
    values = {}
    for patient in sorted(set(table["case_id"])):
        rest = table[table["case_id"] != patient]
        value = fold_metrics(rest, with_interval=False)[metric] if len(rest) else None
        values[patient] = np.nan if value is None else value
    return values


@pytest.mark.parametrize("metric", ["acc", "f1", "auc", "c_index"])
@pytest.mark.parametrize("slides_per_patient", [1, 3])
def test_the_metric_of_each_table_without_a_patient(metric: str, slides_per_patient: int):
    """Ties in score, time and risk; patients with slides of both classes; tables that become undefined."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        if metric == "c_index":
            table = _survival(4 + seed, rng)
        else:
            table = _classification(2 + seed % 3, 6 + seed, rng, slides_per_patient)
        found = delete_one_patient(metric, table)
        literal = _literal(metric, table)
        assert list(found.patients) == list(literal)
        assert found.without == pytest.approx(np.array(list(literal.values())), nan_ok=True, abs=1e-12)
        whole = fold_metrics(table, with_interval=False)[metric]
        assert found.value == pytest.approx(np.nan if whole is None else whole, nan_ok=True, abs=1e-12)


def test_a_fold_that_hangs_on_one_patient_is_undefined_without_it():
    prob = np.array([0.9, 0.2, 0.4])
    table = classification_table(list("ABC"), [["a"], ["b"], ["c"]], np.array([1, 0, 0]), np.stack([1 - prob, prob], 1))
    found = delete_one_patient("auc", table)
    assert found.value == 1.0
    assert np.isnan(found.without).tolist() == [True, False, False]
    assert np.isnan((found.influence**2).sum())


def test_the_variance_by_hand():
    """Accuracy 3/4 of four patients: without the wrong one 1, without a right one 2/3; mean 3/4; 3/4 of 1/12 in all."""
    prob = np.array([0.9, 0.2, 0.4, 0.1])
    label = np.array([1, 0, 0, 1])
    table = classification_table(list("ABCD"), [[s] for s in "abcd"], label, np.stack([1 - prob, prob], axis=1))
    found = delete_one_patient("acc", table)
    assert found.without == pytest.approx([2 / 3, 2 / 3, 2 / 3, 1])
    assert (found.influence**2).sum() == pytest.approx(3 / 4 * (3 * (1 / 12) ** 2 + (1 / 4) ** 2))
    assert (found.influence**2).sum() == pytest.approx(0.75 * 0.25 / 3)  # p (1 - p) / (n - 1)
    assert found.influence.sum() == pytest.approx(0, abs=1e-15)


def test_the_variance_of_an_auc_is_about_that_of_delong():
    rng = np.random.default_rng(0)
    label = np.arange(200) % 2
    positive = 1 / (1 + np.exp(-(rng.normal(size=200) + label)))
    table = classification_table(
        [f"P{i}" for i in range(200)], [[f"S{i}"] for i in range(200)], label, np.stack([1 - positive, positive], 1)
    )
    found, delong = delete_one_patient("auc", table), auc_interval(label == 1, positive)
    odds = (delong.high / (1 - delong.high)) / (delong.low / (1 - delong.low))
    error = np.log(odds) / (2 * 1.959964) * delong.auc * (1 - delong.auc)
    assert np.sqrt((found.influence**2).sum()) == pytest.approx(error, rel=0.01)


def test_pairs_are_those_of_scikit_survival():
    """All of them, and those that vanish without a case; ties, and several blocks of rows."""
    rng = np.random.default_rng(1)
    n = 600
    event, time, risk = rng.random(n) < 0.9, rng.integers(1, 50, n).astype(float), rng.integers(0, 30, n) / 7

    def counted(kept: np.ndarray) -> tuple[float, float]:
        _, concordant, discordant, tied, _ = concordance_index_censored(event[kept], time[kept], risk[kept])
        return concordant + tied / 2, concordant + discordant + tied

    concordant, comparable = pairs_of_cases(event, time, risk)
    whole = counted(np.ones(n, dtype=bool))
    assert (concordant.sum() / 2, comparable.sum() / 2) == whole
    for case in range(0, n, 97):
        left = counted(np.arange(n) != case)
        assert (whole[0] - concordant[case], whole[1] - comparable[case]) == left
