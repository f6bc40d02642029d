from __future__ import annotations

import numpy as np
import pytest

from tests.utils.report.cohorts import classification_fold, table_of_classes
from tests.utils.report.pictures import check_picture, parsed, texts, tips
from utils.report.charts.confusion_chart import confusion_charts
from utils.runs.class_words import ClassWords


def test_counts_and_row_percentages_of_a_hand_worked_matrix():
    first = table_of_classes(np.array([0, 0, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]), name="A")
    second = table_of_classes(np.array([0, 0]), np.array([[0.6, 0.4], [0.5, 0.5]]), name="B")
    (chart,) = confusion_charts({0: first, 3: second})
    check_picture(chart.svg)
    assert tips(chart.svg) == [
        ["class 0 predicted as class 0", "3 of 4 slides (75%)"],
        ["class 0 predicted as class 1", "1 of 4 slides (25%)"],
        ["class 1 predicted as class 0", "0 of 1 slide (0%)"],
        ["class 1 predicted as class 1", "1 of 1 slide (100%)"],
    ]
    assert {"predicted class", "label", "3", "75%"} <= set(texts(chart.svg))
    opacities = [float(cell.attrib["fill-opacity"]) for cell in parsed(chart.svg).iter("rect")]
    np.testing.assert_allclose(opacities, [0.6, 0.2, 0, 0.8])
    assert "5 test slides of 2 folds; 4 right (80.0%)" in chart.note


def test_one_slide_of_one_fold_is_said_so():
    (chart,) = confusion_charts({0: table_of_classes(np.array([1]), np.array([[0.1, 0.9]]))})
    assert chart.note.startswith("1 test slide of 1 fold; 1 right (100.0%)")


def test_a_class_without_cases_has_no_percentages():
    (chart,) = confusion_charts({0: table_of_classes(np.array([1, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]))})
    check_picture(chart.svg)
    assert tips(chart.svg)[0] == ["class 0 predicted as class 0", "0 of 0 slides (–)"]


@pytest.mark.parametrize("n_classes", [3, 6, 12])
def test_many_classes_fit(n_classes: int):
    tables = {fold: classification_fold(fold, n=5000, n_classes=n_classes) for fold in range(2)}
    (chart,) = confusion_charts(tables)
    check_picture(chart.svg)
    assert sum(int(lines[1].split()[0]) for lines in tips(chart.svg)) == 10000


@pytest.mark.parametrize("n_classes", [2, 4, 9])
def test_classes_have_their_names_and_long_ones_fit(n_classes: int):
    words = ClassWords(tuple(f"carcinoma of an unusually long name, grade {grade}" for grade in range(n_classes)))
    (chart,) = confusion_charts({0: classification_fold(0, n_classes=n_classes)}, words, "patient")
    check_picture(chart.svg)
    assert tips(chart.svg)[1][0] == f"{words.full(0)} predicted as {words.full(1)}"
    shown = [text for text in texts(chart.svg) if "…" in text]
    assert len(set(shown)) == len(shown) == (n_classes if n_classes > 5 else 2 * n_classes)  # else numbers above
    assert chart.note.startswith("60 test patients of 1 fold")


def test_short_names_stand_at_their_rows_and_columns():
    (chart,) = confusion_charts({0: classification_fold(0)}, ClassWords(("benign", "malignant")))
    assert [texts(chart.svg).count(name) for name in ("benign", "malignant")] == [2, 2]
