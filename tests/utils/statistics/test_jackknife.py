from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.utils.report.cohorts import classification_fold, survival_fold, table_of_classes, table_of_survival
from utils.statistics.interval import logit_limits
from utils.statistics.jackknife import concordance_jackknife, metric_jackknife
from utils.tables.summary import fold_metrics

# d <- survival::veteran[1:60, ]; C <- function(d) concordance(Surv(time, status) ~ karno, data = d)$concordance
# cs <- sapply(1:60, function(i) C(d[-i, ])); C(d); 59 / 60 * sum((cs - mean(cs))^2)  (R 4.2; high karno, long life)
VETERAN = (0.649637243047, 0.00144552571936)
TIME = """72 411 228 126 118 10 82 110 314 100 42 8 144 25 11 30 384 4 54 13 123 97 153 59 117 16 151 22 56 21 18 139 20
31 52 287 18 51 122 27 54 7 63 392 10 8 92 35 117 132 12 162 3 95 177 162 216 553 278 12"""
KARNO = """60 70 60 60 70 20 40 80 50 70 60 40 30 80 70 60 60 40 80 60 40 60 60 30 80 30 50 60 80 40 20 80 30 75 70 60
30 60 80 60 70 50 50 40 40 20 70 40 80 80 50 80 30 80 50 80 50 70 60 40"""


def test_the_c_index_of_r():
    time, karno = (np.array(text.split(), dtype=float) for text in (TIME, KARNO))
    event = np.ones(60, dtype=int)
    event[[9, 13, 20, 21]] = 0
    estimate = concordance_jackknife(event, time, -karno)
    assert (estimate.value, estimate.variance) == pytest.approx(VETERAN, rel=1e-9)


def _slow(metric: str, tables: list[pd.DataFrame]) -> float:
    """The variance from the metric of the tables without each patient, one by one."""
    patients = sorted({case for table in tables for case in table["case_id"]})
    values = [
        np.mean([fold_metrics(table[table["case_id"] != case], with_interval=False)[metric] for table in tables])
        for case in patients
    ]
    return (len(patients) - 1) / len(patients) * sum((value - np.mean(values)) ** 2 for value in values)


@pytest.mark.parametrize(("metric", "n_classes"), [("f1", 2), ("auc", 3), ("acc", 2), ("c_index", 0)])
def test_the_variance_is_that_of_leaving_out_each_patient(metric: str, n_classes: int):
    if n_classes:
        tables = [classification_fold(fold, n=24, n_classes=n_classes) for fold in (0, 1)]
        for table in tables:
            table["case_id"] = [f"p{row // 2}" for row in range(24)]  # two slides each
    else:
        tables = [survival_fold(0, n=24), survival_fold(0, n=24)]
        tables[1]["risk"] = np.random.default_rng(0).permutation(tables[1]["risk"].to_numpy())
    for chosen in (tables[:1], tables):
        estimate = metric_jackknife(metric, chosen)
        own = [fold_metrics(table, with_interval=False)[metric] for table in chosen]
        assert estimate.value == pytest.approx(np.mean(own))
        assert estimate.variance == pytest.approx(_slow(metric, chosen), rel=1e-9)


def test_a_patient_that_one_model_lacks_is_left_out_of_the_other():
    whole = survival_fold(0, n=20)
    part = whole.iloc[:-3].copy()
    assert metric_jackknife("c_index", [whole, part]).variance == pytest.approx(_slow("c_index", [whole, part]))


def test_the_order_of_rows_is_of_no_account():
    table = survival_fold(0, n=30)
    shuffled = table.sample(frac=1, random_state=1, ignore_index=True)
    assert metric_jackknife("c_index", [shuffled]) == metric_jackknife("c_index", [table])
    arrays = (table[name].to_numpy() for name in ("event", "time", "risk"))
    assert concordance_jackknife(*arrays) == metric_jackknife("c_index", [table])


def test_the_interval_of_a_shuffled_risk_covers_one_half_and_that_of_the_true_risk_does_not():
    rng = np.random.default_rng(11)
    log_hazard = rng.normal(size=200)
    death, censoring = rng.exponential(np.exp(-log_hazard)), rng.exponential(2.0, 200)
    event, time = death <= censoring, np.minimum(death, censoring)
    shuffled, true = (concordance_jackknife(event, time, risk) for risk in (rng.permutation(log_hazard), log_hazard))
    low, high = logit_limits(shuffled.value, shuffled.variance)
    assert low < 0.5 < high
    assert logit_limits(true.value, true.variance)[0] > 0.6


def test_what_is_undefined():
    censored = table_of_survival(np.array([1.0, 2.0]), np.array([0, 0]), np.arange(2.0))
    assert metric_jackknife("c_index", [censored]) is None
    pair = table_of_survival(np.array([1.0, 2.0]), np.array([1, 0]), np.array([2.0, 1.0]))
    estimate = metric_jackknife("c_index", [pair])
    assert (estimate.value, estimate.variance) == (1.0, None)
    assert estimate.reason == "undefined without one of 2 of 2 patients: no variance"
    three = table_of_classes(np.array([0, 1, 2, 2]), np.eye(3)[[0, 1, 2, 1]] * 0.4 + 0.2)
    assert metric_jackknife("auc", [three]).reason == "undefined without one of 2 of 4 patients: no variance"
