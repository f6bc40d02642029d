from __future__ import annotations

import pytest

from utils.tables.averages import over_folds


def test_the_deviation_is_that_of_the_population():
    # 1/2, 1 and 1/2: mean 2/3, population variance (2 (1/6)^2 + (1/3)^2) / 3 = 1/18.
    found = over_folds(
        [{"acc": 0.5, "auc": None}, {"acc": 1.0, "auc": None}, {"acc": 0.5, "auc": 0.25}], ["acc", "auc"]
    )
    assert found["mean"] == {"acc": pytest.approx(2 / 3), "auc": 0.25}
    assert found["std"] == {"acc": pytest.approx((1 / 18) ** 0.5), "auc": 0.0}
    assert found["n_defined"] == {"acc": 3, "auc": 1}


def test_a_metric_that_no_fold_defines():
    assert over_folds([{"auc": None}], ["auc"]) == {
        "mean": {"auc": None},
        "std": {"auc": None},
        "n_defined": {"auc": 0},
    }
