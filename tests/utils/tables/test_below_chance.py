from __future__ import annotations

import pandas as pd
import pytest

from tests.utils.report.cohorts import classification_fold, survival_fold
from utils.runs.tasks import CLASSIFICATION, SURVIVAL
from utils.statistics.metric_intervals import metric_intervals
from utils.tables.below_chance import below_chance, fold_below_chance, is_below_chance, mean_below_chance


def _turned(table: pd.DataFrame) -> pd.DataFrame:
    if "risk" in table:
        return table.assign(risk=-table["risk"])
    return table.assign(prob_0=table["prob_1"], prob_1=table["prob_0"])


@pytest.mark.parametrize("fold_of", [survival_fold, classification_fold])
def test_a_fold_whose_ranking_is_turned_around_is_said(fold_of):
    table = fold_of(2)
    task = SURVIVAL if fold_of is survival_fold else CLASSIFICATION
    assert fold_below_chance(table) == []
    turned = _turned(table)
    interval = metric_intervals({2: turned})[task.metric].per_fold[2]
    assert interval.high is not None
    assert interval.high < 0.5
    assert fold_below_chance(turned) == [below_chance(task)]


def test_below_chance_within_its_interval_is_no_warning():
    table = survival_fold(1, n=12)
    weak = table.assign(risk=table["risk"].sample(frac=1, random_state=4).to_numpy())
    interval = metric_intervals({0: weak})["c_index"].per_fold[0]
    assert interval.value is not None
    assert interval.low is not None
    assert interval.high is not None
    assert interval.low < interval.value < 0.5 < interval.high
    assert fold_below_chance(weak) == []


def test_three_classes_have_an_interval_too():
    table = classification_fold(0, n_classes=3)
    names = [f"prob_{index}" for index in range(3)]
    turned = table.copy()
    turned[names] = (1 - table[names]) / 2
    assert fold_below_chance(table) == []
    assert fold_below_chance(turned) == [below_chance(CLASSIFICATION)]


def test_what_has_no_ranking_is_no_warning():
    table = survival_fold(0)
    assert fold_below_chance(table.assign(event=0)) == []
    assert fold_below_chance(classification_fold(0).assign(label=1)) == []


def test_the_mean_over_folds_has_an_interval_of_its_own():
    tables = {fold: _turned(survival_fold(fold, n=60)).head(22) for fold in (2, 11, 14, 15)}
    intervals = metric_intervals(tables)
    found = intervals["c_index"]
    assert found.overall.value is not None
    assert is_below_chance(found.overall.low, found.overall.high)
    assert mean_below_chance(intervals, SURVIVAL) == below_chance(SURVIVAL, of_mean=True)
    assert mean_below_chance(metric_intervals({0: tables[2]}), SURVIVAL) == ""  # one fold says it itself
    assert mean_below_chance(metric_intervals({k: survival_fold(k) for k in (0, 1)}), SURVIVAL) == ""


def test_classes_that_are_separated_the_wrong_way_round_are_said():
    """An AUC of 0 has an exact interval, from 0 on."""
    table = classification_fold(0)
    positive = 0.9 - 0.8 * table["label"]
    assert fold_below_chance(table.assign(prob_0=1 - positive, prob_1=positive)) == [below_chance(CLASSIFICATION)]


def test_the_words():
    assert below_chance(SURVIVAL) == (
        "worse than chance: the 95 % interval of the C-index lies below 0.5; the risk may be turned around: check the "
        "censorship column (1 = censored), and whether the features belong to these cases"
    )
    assert "interval of the mean AUC lies below 0.5; the score may" in below_chance(CLASSIFICATION, of_mean=True)
    assert "the labels and the order of the classes" in below_chance(CLASSIFICATION)
