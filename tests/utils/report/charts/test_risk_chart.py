from __future__ import annotations

import numpy as np
import pytest

from tests.utils.report.cohorts import classification_fold, survival_fold, table_of_survival
from tests.utils.report.pictures import check_picture, parsed, paths, texts, tips
from utils.report.charts.risk_chart import risk_charts


def _boxes(svg: str) -> np.ndarray:
    boxes = [rect for rect in parsed(svg).iter("rect") if "box" in rect.attrib["class"].split()]
    return np.array([(float(box.attrib["x"]), float(box.attrib["x"]) + float(box.attrib["width"])) for box in boxes])


def test_risks_fold_by_fold_deaths_and_censored_apart():
    tables = {fold: survival_fold(fold) for fold in (0, 2)}
    (chart,) = risk_charts(tables)
    check_picture(chart.svg)
    groups = [
        (f"fold {fold}, {word}", table.loc[table["event"] == event, "risk"].to_numpy())
        for fold, table in tables.items()
        for word, event in (("died", 1), ("censored", 0))
    ]
    quartiles = np.array([np.percentile(risk, (25, 50, 75)) for _, risk in groups])
    expected = [
        [f"{name}, n = {len(risk)}", f"median {q[1]:.3g}", f"quartiles {q[0]:.3g} to {q[2]:.3g}"]
        for (name, risk), q in zip(groups, quartiles, strict=True)
    ]
    assert tips(chart.svg) == expected
    boxes, dots = _boxes(chart.svg), paths(chart.svg, "dots")
    scale = np.polyfit(quartiles[:, (0, 2)].ravel(), boxes.ravel(), 1)
    np.testing.assert_allclose(boxes, np.polyval(scale, quartiles[:, (0, 2)]), atol=0.1)
    for (_, risk), drawn in zip(groups, dots, strict=True):
        np.testing.assert_allclose(drawn[::2, 0], np.polyval(scale, np.sort(risk)), atol=0.1)  # M and h0 for each dot
    assert {"risk", "fold 0, died", "fold 2, censored"} <= set(texts(chart.svg))
    assert "no common scale" in chart.note


@pytest.mark.parametrize("n_classes", [2, 3])
def test_probabilities_by_label_over_all_folds(n_classes: int):
    tables = {fold: classification_fold(fold, n_classes=n_classes) for fold in range(2)}
    (chart,) = risk_charts(tables)
    check_picture(chart.svg)
    for label, lines in enumerate(tips(chart.svg)):
        column = "prob_1" if n_classes == 2 else f"prob_{label}"
        values = np.concatenate([table.loc[table["label"] == label, column] for table in tables.values()])
        assert lines[:2] == [f"label {label}, n = {len(values)}", f"median {np.median(values):.3g}"]
    assert ("probability of class 1" if n_classes == 2 else "probability of the true class") in texts(chart.svg)


def test_no_events_and_equal_risks_can_be_drawn():
    table = table_of_survival(np.array([5.0, 6.0]), np.array([0, 0]), np.full(2, 0.5))
    (chart,) = risk_charts({0: table})
    check_picture(chart.svg)
    assert "n = 0" in texts(chart.svg)
    assert [lines[0] for lines in tips(chart.svg)] == ["fold 0, censored, n = 2"]


def test_many_cases_are_thinned():
    (chart,) = risk_charts({fold: survival_fold(fold, n=400) for fold in range(4)})
    check_picture(chart.svg)
    assert "even selection by rank" in chart.note
    assert len(chart.svg.encode()) < 12 * 1024
