from __future__ import annotations

import re

import numpy as np
import pytest

from tests.utils.report.pictures import check_picture, parsed, paths, texts, tips
from utils.report.charts.forest_chart import ForestRow, forest_chart

ROWS = [
    ForestRow("fold 0", 0.7, 0.6, 0.8),
    ForestRow("fold 1", None, None, None),
    ForestRow("fold 2", 0.65, None, None),
    ForestRow("mean of the folds", 0.675, 0.625, 0.725, emphasis=True),
]


def test_rows_are_drawn_on_one_axis():
    chart = forest_chart(ROWS, title="AUC by fold", axis="AUC", reference=0.5)
    check_picture(chart.svg)
    words = texts(chart.svg)
    assert {"AUC", "fold 0", "undefined", "0.650", "0.675 (0.625–0.725)"} <= set(words)
    assert tips(chart.svg)[0] == ["fold 0", "0.700 (0.600–0.800)"]
    bars = paths(chart.svg, "whisker")
    marks = [p for p in parsed(chart.svg).iter("path") if "mark" in p.attrib["class"].split()]
    across = [float(re.findall(r"[\d.]+", mark.attrib["transform"])[0]) for mark in marks]
    reference = paths(chart.svg, "chance")[0][0, 0]
    drawn = np.array([*bars[0][:, 0], *bars[1][:, 0], *across, reference])
    values = np.array([0.6, 0.8, 0.625, 0.725, 0.7, 0.65, 0.675, 0.5])
    np.testing.assert_allclose(drawn, np.polyval(np.polyfit(values, drawn, 1), values), atol=0.1)
    assert chart.note == "Undefined: 1 of 4 values."


def test_the_emphasised_row_has_another_mark():
    shapes = [
        p.attrib["d"]
        for p in parsed(forest_chart(ROWS, title="t", axis="a").svg).iter("path")
        if "mark" in p.attrib["class"]
    ]
    assert shapes[0] == shapes[1] != shapes[2]


def test_a_limit_far_away_ends_in_an_arrow_and_is_written_whole():
    rows = [ForestRow(f"anchor {index}", 0.1 * index, 0.1 * index - 0.3, 0.1 * index + 0.3) for index in range(5)]
    chart = forest_chart([*rows, ForestRow("rare", 0.2, -0.4, 123.4)], title="t", axis="log hazard", reference=0)
    check_picture(chart.svg)
    assert "0.20 (-0.40 to 123)" in texts(chart.svg)
    assert chart.note == "Arrows: limits beyond the picture."
    widths = [np.ptp(bar[:, 0]) for bar in paths(chart.svg, "whisker")]
    assert widths[0] > 40
    assert len(paths(chart.svg, "whisker")[-1]) == 6


def test_long_labels_are_cut():
    svg = forest_chart([ForestRow("a model with a very long name " * 3, 0.5, 0.4, 0.6, True)], title="t", axis="a").svg
    check_picture(svg)
    assert "…" in texts(svg)[-2]


def test_seeds_of_long_names_can_be_told_apart():
    names = [f"mico_released_without_cluster_route_k64_seed{seed}" for seed in (1, 2)]
    chart = forest_chart([ForestRow(name, 0.5, 0.4, 0.6, True) for name in names], title="t", axis="a")
    check_picture(chart.svg)
    first, second = (text for text in texts(chart.svg) if text.startswith("mico"))
    assert first != second


def test_a_short_label_is_whole_beside_a_strong_one():
    chart = forest_chart(
        [ForestRow("fold 0", 0.5, 0.4, 0.6), ForestRow("mean", 0.5, 0.4, 0.6, True)], title="t", axis="a"
    )
    assert {"fold 0", "mean"} <= set(texts(chart.svg))


@pytest.mark.parametrize("rows", [[], [ForestRow("fold 0", None, None, None)]])
def test_nothing_to_draw(rows: list[ForestRow]):
    chart = forest_chart(rows, title="t", axis="a")
    assert chart.svg == ""
    assert chart.note.startswith("Nothing to draw")


def test_one_value_without_limits():
    check_picture(
        forest_chart([ForestRow("only", 0.5, None, None)], title="t", axis="an axis with a rather long name").svg
    )


def test_ratios_have_a_logarithmic_axis():
    """A halved and a doubled hazard are equally far from 1."""
    rows = [ForestRow("half", 0.5, 0.25, 1.0), ForestRow("double", 2.0, 1.0, 4.0), ForestRow("none", None, None, None)]
    chart = forest_chart(rows, title="t", axis="hazard ratio", reference=1.0, is_ratio=True)
    check_picture(chart.svg)
    assert {"0.50 (0.25–1.00)", "2.00 (1.00–4.00)", "undefined"} <= set(texts(chart.svg))
    assert {"0.5", "1", "2"} <= set(texts(chart.svg))
    reference = paths(chart.svg, "chance")[0][0, 0]
    marks = [p for p in parsed(chart.svg).iter("path") if "mark" in p.attrib["class"].split()]
    half, double = (float(re.findall(r"[\d.]+", mark.attrib["transform"])[0]) for mark in marks)
    assert reference - half == pytest.approx(double - reference, abs=0.2)
    (low, high), _ = (bar[:, 0] for bar in paths(chart.svg, "whisker"))
    assert high == pytest.approx(reference, abs=0.1)
    assert reference - low == pytest.approx(2 * (reference - half), abs=0.3)


def test_ticks_of_wide_ratios_stay_apart():
    rows = [ForestRow(str(index), 10.0**index, 10.0**index / 5, 10.0**index * 5) for index in range(-2, 3)]
    chart = forest_chart(rows, title="t", axis="odds ratio", reference=1.0, is_ratio=True)
    check_picture(chart.svg)
    assert len(paths(chart.svg, "grid")) <= 7
