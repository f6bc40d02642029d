from __future__ import annotations

import pytest

from utils.tables.averages import cases_in_words, cases_of_means, mean_text, over_folds, shortfall


def test_the_deviation_is_that_of_the_population():
    # 1/2, 1 and 1/2: mean 2/3, population variance (2 (1/6)^2 + (1/3)^2) / 3 = 1/18.
    found = over_folds(
        [{"acc": 0.5, "auc": None}, {"acc": 1.0, "auc": None}, {"acc": 0.5, "auc": 0.25}], ["acc", "auc"]
    )
    assert found["mean"] == {"acc": pytest.approx(2 / 3), "auc": 0.25}
    assert found["std"] == {"acc": pytest.approx((1 / 18) ** 0.5), "auc": 0.0}
    # The sample has 2 in place of 3: variance 1/12; one value has none.
    assert found["sample_std"] == {"acc": pytest.approx((1 / 12) ** 0.5), "auc": None}
    assert found["n_defined"] == {"acc": 3, "auc": 1}


def test_a_metric_that_no_fold_defines():
    assert over_folds([{"auc": None}], ["auc"]) == {
        "mean": {"auc": None},
        "std": {"auc": None},
        "sample_std": {"auc": None},
        "n_defined": {"auc": 0},
    }


FOLDS = [
    {"c_index": 0.5, "n_test": 20, "n_events": 8},
    {"c_index": None, "n_test": 10, "n_events": 0},
    {"c_index": 0.7, "n_test": 25, "n_events": 12},
]


def test_a_mean_over_some_folds_comes_with_their_cases():
    averages = over_folds(FOLDS, ["c_index"]) | cases_of_means(FOLDS, ["c_index"]) | {"unit": "case", "folds": FOLDS}
    assert (averages["n_test"], averages["n_events"]) == ({"c_index": 45}, {"c_index": 20})
    assert cases_in_words(averages, "c_index") == "45 cases, 20 deaths"
    assert shortfall(averages, "c_index") == " (2 of 3 folds, 45 cases, 20 deaths)"
    assert mean_text(averages, "c_index") == "0.600 ± 0.100 (2 of 3 folds, 45 cases, 20 deaths)"
    assert mean_text(averages, "c_index", 1) == "0.6 ± 0.1 (2 of 3 folds, 45 cases, 20 deaths)"
    assert shortfall(averages | {"folds": FOLDS[::2]}, "c_index") == ""


def test_classification_counts_no_deaths():
    folds = [{"auc": 0.5, "n_test": 1}, {"auc": None, "n_test": 9}]
    averages = over_folds(folds, ["auc"]) | cases_of_means(folds, ["auc"]) | {"unit": "slide", "folds": folds}
    assert "n_events" not in averages
    assert mean_text(averages, "auc") == "0.500 (1 of 2 folds, 1 slide)"  # one fold has no deviation


def test_what_no_fold_defines_is_a_dash_alone():
    folds = [{"auc": None, "n_test": 9}]
    averages = over_folds(folds, ["auc"]) | cases_of_means(folds, ["auc"]) | {"unit": "slide", "folds": folds}
    assert mean_text(averages, "auc") == "–"


def test_folds_of_the_same_cases_are_not_added_up():
    """Those of another cohort have no `n_test`."""
    assert shortfall(over_folds(FOLDS, ["c_index"]) | {"folds": FOLDS}, "c_index") == " (2 of 3 folds)"
