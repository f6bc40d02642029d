from __future__ import annotations

import numpy as np
import pytest

from benchmarks.comparison_size import N_FOLDS, SCENARIOS, draw_cohort, fold_pairs, main, p_values, rejections
from utils.runs.predictions import classification_table, survival_table
from utils.statistics.paired_difference import paired_difference


@pytest.mark.parametrize("metric", ["auc", "c_index"])
def test_folds_are_those_of_prediction_tables(metric: str):
    """The simulation leaves the tables out; with them the p value is the same."""
    rng = np.random.default_rng(0)
    cohort = draw_cohort(metric, 40, rng)
    assert np.bincount(cohort.fold).tolist() == [10] * N_FOLDS
    scores = SCENARIOS["null: same model, other seeds"](cohort, 2, rng)
    models = []
    for of_model in scores:
        tables = {}
        for seed, score in enumerate(of_model):
            for fold in range(N_FOLDS):
                test = cohort.fold == fold
                ids = [f"P{index:03d}" for index in np.flatnonzero(test)]
                slides = [[name] for name in ids]
                if metric == "auc":
                    positive = 1 / (1 + np.exp(-score[test]))
                    prob = np.stack([1 - positive, positive], axis=1)
                    tables[seed, fold] = classification_table(ids, slides, cohort.outcome[test].astype(int), prob)
                else:
                    time, event, n = np.exp(-cohort.outcome[test]), cohort.event[test], int(test.sum())
                    outputs = (np.zeros(n), score[test], np.full((n, 2), 0.5))
                    tables[seed, fold] = survival_table(ids, slides, time, event, *outputs)
        models.append(tables)
    literal = paired_difference(models[0], models[1], metric)
    assert p_values(fold_pairs(cohort, scores), rng)["paired_difference"] == pytest.approx(literal.p)


@pytest.mark.slow
def test_a_difference_is_found_more_often_than_none():
    options = {"repeats": 40, "n_seeds": 3, "seed": 3}
    null, (ours, other) = rejections(SCENARIOS["null: same model, other seeds"], "auc", 120, **options)
    assert abs(ours - other) < 0.03
    assert null["paired_difference"] <= 15
    power, (ours, other) = rejections(SCENARIOS["a difference: ridge"], "auc", 240, **options)
    assert ours > other + 0.05
    assert power["paired_difference"] > 30


def test_the_command(capsys: pytest.CaptureFixture[str]):
    assert main(["--repeats", "2", "--cases", "24"]) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    assert len(lines) == 2 + len(SCENARIOS)
    assert "paired_difference" in lines[0]
