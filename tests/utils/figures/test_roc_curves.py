from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from utils.figures.palette import SERIES
from utils.figures.roc_curves import roc_curves
from utils.runs.class_words import ClassWords
from utils.runs.predictions import classification_table


def _table(label: list[int], prob: np.ndarray) -> pd.DataFrame:
    ids = [str(index) for index in range(len(label))]
    return classification_table(ids, [[name] for name in ids], np.array(label), prob)


def _two_classes(label: list[int], positive: list[float]) -> pd.DataFrame:
    return _table(label, np.stack([1 - np.array(positive), np.array(positive)], axis=1))


def test_the_curve_of_a_hand_worked_fold():
    # Scores from high to low: 1 (.9), 0 (.7), then a tie of a 1 and a 0 (.4), then 1 (.2).
    table = _two_classes([1, 0, 1, 0, 1], [0.9, 0.7, 0.4, 0.4, 0.2])
    axes = roc_curves({0: table}, "title").axes[0]
    curve, chance = axes.get_lines()
    np.testing.assert_allclose(curve.get_xdata(), [0, 0, 1 / 2, 1, 1])
    np.testing.assert_allclose(curve.get_ydata(), [0, 1 / 3, 1 / 3, 2 / 3, 1])
    # Pairs: .9 beats both, .4 loses and ties, .2 loses both: 2.5 of 6.
    assert curve.get_label() == "fold 0: AUC 0.417 (3 positive, 2 negative)"
    assert (chance.get_xdata().tolist(), chance.get_ydata().tolist()) == ([0, 1], [0, 1])
    assert axes.get_xlabel().startswith("false positive rate")


def test_folds_have_curves_of_their_own_and_a_fold_with_one_class_says_why_not():
    rng = np.random.default_rng(0)
    tables = {fold: _two_classes([0, 1] * 10, rng.random(20).tolist()) for fold in (0, 1)}
    tables[7] = _two_classes([1, 1], [0.3, 0.6])
    figure = roc_curves(tables, "title")
    figure.canvas.draw()
    first, second, undefined, _ = figure.axes[0].get_lines()
    for line, fold in ((first, 0), (second, 1)):
        auc = roc_auc_score(tables[fold]["label"], tables[fold]["prob_1"])
        assert line.get_label().startswith(f"fold {fold}: AUC {auc:.3f}")
        assert np.isclose(np.trapezoid(line.get_ydata(), line.get_xdata()), auc)
    assert first.get_color() != second.get_color()
    assert len(undefined.get_xdata()) == 0
    assert " ".join(undefined.get_label().split()) == "fold 7: no curve (only class 1 among the labels)"


def test_more_classes_have_a_panel_per_fold_and_a_curve_per_class():
    rng = np.random.default_rng(1)
    tables = {
        0: _table([0, 1, 2] * 5, rng.dirichlet([1, 1, 1], 15)),
        1: _table([0, 1] * 5, rng.dirichlet([1, 1, 1], 10)),
        2: _table([2] * 4, rng.dirichlet([1, 1, 1], 4)),
    }
    figure = roc_curves(tables, "title")
    figure.canvas.draw()
    assert [axes.get_title() for axes in figure.axes] == ["fold 0", "fold 1", "fold 2"]
    labels = [[" ".join(line.get_label().split()) for line in axes.get_lines()] for axes in figure.axes]
    assert [label.split(":")[0] for label in labels[0]] == ["class 0", "class 1", "class 2", "chance"]
    assert labels[1][2] == "class 2: no curve (no case of class 2 among the labels)"
    assert labels[2] == ["no curves (only class 2 among the labels)", "chance"]
    area = np.trapezoid(figure.axes[0].get_lines()[1].get_ydata(), figure.axes[0].get_lines()[1].get_xdata())
    assert np.isclose(area, roc_auc_score(tables[0]["label"] == 1, tables[0]["prob_1"]))
    assert "each class against the rest" in figure.get_suptitle()


def test_classes_have_their_names_and_long_ones_stay_apart():
    two = roc_curves({0: _two_classes([0, 1], [0.2, 0.7])}, "title", ClassWords(("benign", "malignant")))
    assert two.get_suptitle().replace("\n", " ").endswith("malignant (class 1) against benign (class 0)")
    rng = np.random.default_rng(1)
    long = tuple(f"carcinoma of an unusually long name, grade {grade}" for grade in (1, 2, 3))
    figure = roc_curves({0: _table([0, 1, 2] * 5, rng.dirichlet([1, 1, 1], 15))}, "title", ClassWords(long))
    figure.canvas.draw()
    names = [line.get_label().split(":\n")[0] for line in figure.axes[0].get_lines()[:3]]
    assert len(set(names)) == 3
    assert all(len(name) <= 28 for name in names)
    legend, axes = figure.axes[0].get_legend().get_window_extent(), figure.axes[0].get_window_extent()
    assert legend.x0 >= axes.x0 - 1


def test_a_fold_has_the_colour_that_it_has_in_the_report():
    tables = {fold: _two_classes([0, 1] * 4, [0.2, 0.7] * 4) for fold in range(8)}
    lines = roc_curves(tables, "title").axes[0].get_lines()[:8]
    assert [line.get_color() for line in lines] == list(SERIES)
