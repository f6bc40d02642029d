from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from tests.utils.run_folders import (
    ALL_0,
    C_0,
    C_1,
    C_1_2,
    C_1_3,
    C_2_3,
    MIXED,
    RIGHT,
    Plan,
    cells,
    classification_folds,
    survival_folds,
)
from utils.paper.anchor_sweep import sweep_curves, sweep_figure, sweep_numbers, sweep_table, write_sweep_figure
from utils.paper.planned_results import PlannedResults, load_results
from utils.paper.text import table_files


@pytest.fixture
def results(tmp_path: Path) -> PlannedResults:
    """Survival A and B and classification X over 32, 64 and 128 anchors; B lacks a fold at 128."""
    plan = Plan(tmp_path)
    plan.add("surv", "A", survival_folds(C_1, C_2_3), k=64)  # 5/6 ± 1/6
    plan.add("surv", "A", survival_folds(C_0, C_0), k=64, ablate="route")  # not of the sweep
    plan.add("surv", "A", survival_folds(C_1_2, C_1_2), k=32)  # 1/2
    plan.add("surv", "A", survival_folds(C_1, C_1), k=128)  # 1
    plan.add("surv", "B", survival_folds(C_1_3, C_1_3), k=32)  # 1/3
    plan.add("surv", "B", survival_folds(C_1_2, C_1_3), k=64)  # 5/12 ± 1/12
    plan.add("surv", "B", survival_folds(C_2_3), k=128)  # 2/3, one of two folds
    plan.add("cls", "X", classification_folds(RIGHT, MIXED), k=64)  # AUC 7/8 ± 1/8
    plan.add("cls", "X", classification_folds(MIXED, ALL_0), k=32)  # 3/4
    plan.add("cls", "X", None, k=128)
    plan.add("cls", "X", classification_folds(RIGHT, RIGHT), model="abmil", k=8)
    return load_results(plan.path)


def test_the_table(results: PlannedResults):
    assert sweep_numbers(results) == [32, 64, 128]
    table = sweep_table(results)
    assert cells(table_files(table)["anchor_sweep.md"]) == [
        ["anchors", "A C-index", "B C-index", "mean C-index", "X AUC"],
        ["32", "0.500 ± 0.000", "0.333 ± 0.000", "0.417", "0.750 ± 0.000"],
        ["64", "0.833 ± 0.167", "**0.417 ± 0.083**", "**0.625**", "**0.875 ± 0.125**"],
        ["128", "**1.000 ± 0.000**", "0.667 (1 of 2 folds, 3 cases, 3 deaths)", "incomplete", "missing"],
    ]
    assert table.notes == ("mean C-index of MiCo with 128 anchors: incomplete, B lacks folds",)
    assert "32, 64 and 128 anchors were tried and 64 was best" in table.explanation[-1]
    lines = [entry.csv for row in table.rows for entry in row.entries]
    assert [line["n_clusters"] for line in lines] == ["32"] * 4 + ["64"] * 4 + ["128"] * 4
    assert [line["dataset"] for line in lines[:4]] == ["A", "B", "mean", "X"]
    assert float(lines[4]["mean"]) == pytest.approx(5 / 6)
    assert float(lines[4]["std"]) == pytest.approx(1 / 6)
    assert lines[4]["run_dirs"] == "surv_A_mico_released_64_1"


def test_the_curves(results: PlannedResults):
    first, second, mean = sweep_curves(results, "surv")
    assert [curve.name for curve in (first, second, mean)] == ["A", "B", "mean"]
    np.testing.assert_allclose(first.value, [1 / 2, 5 / 6, 1])
    np.testing.assert_allclose(first.std, [0, 1 / 6, 0])
    np.testing.assert_allclose(second.value, [1 / 3, 5 / 12, 2 / 3])
    np.testing.assert_allclose(second.std, [0, 1 / 12, np.nan])
    assert second.is_complete.tolist() == [True, True, False]
    np.testing.assert_allclose(mean.value, [5 / 12, 5 / 8, np.nan])
    assert np.isnan(mean.std).all()
    (only,) = sweep_curves(results, "cls")  # one cohort is its own mean
    np.testing.assert_allclose(only.value, [3 / 4, 7 / 8, np.nan])


def test_the_figure(results: PlannedResults):
    figure = sweep_figure(results)
    figure.canvas.draw()
    survival, classification = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["survival", "classification"]
    assert [axes.get_ylabel() for axes in figure.axes] == ["C-index", "AUC"]
    for axes in figure.axes:
        assert axes.get_xscale() == "log"
        shown = [text.get_text() for text in axes.get_xticklabels()]
        assert (axes.get_xticks().tolist(), shown) == ([32, 64, 128], ["32", "64", "128"])
    lines = {line.get_label(): line for line in survival.get_lines() if not line.get_label().startswith("_")}
    assert list(lines) == ["A", "B", "mean", "incomplete"]
    np.testing.assert_allclose(lines["A"].get_ydata(), [1 / 2, 5 / 6, 1])
    np.testing.assert_allclose(lines["mean"].get_ydata(), [5 / 12, 5 / 8, np.nan])
    # Points of one number of anchors stand beside each other, closer than to the next number.
    x = np.array([lines[name].get_xdata() for name in ("A", "B", "mean")])
    assert len(np.unique(x)) == 9
    assert np.abs(np.log2(x / [32, 64, 128])).max() < 0.25
    # Error bars: one collection per cohort, from value - std to value + std.
    bars = np.concatenate(survival.collections[0].get_segments())
    np.testing.assert_allclose(bars[:, 1], [1 / 2, 1 / 2, 2 / 3, 1, 1, 1])
    assert [text.get_text() for text in classification.get_legend().get_texts()] == ["X"]


def test_nothing_lies_over_anything_else(results: PlannedResults):
    figure = sweep_figure(results)
    figure.canvas.draw()
    page = figure.bbox
    title = figure._suptitle.get_window_extent()
    legends = [axes.get_legend().get_window_extent() for axes in figure.axes]
    for axes, legend in zip(figure.axes, legends, strict=True):
        assert not axes.get_window_extent().overlaps(legend)
        assert not axes.xaxis.label.get_window_extent().overlaps(legend)
        assert not axes.title.get_window_extent().overlaps(title)
        for box in (legend, axes.get_tightbbox()):
            assert page.x0 <= box.x0 < box.x1 <= page.x1
            assert page.y0 <= box.y0 < box.y1 <= page.y1
    assert not legends[0].overlaps(legends[1])


def test_the_files_are_equal_each_time(results: PlannedResults, tmp_path: Path):
    paths = write_sweep_figure(results, tmp_path / "out")
    assert [path.name for path in paths] == ["anchor_sweep.png", "anchor_sweep.svg"]
    first = [path.read_bytes() for path in paths]
    assert first[0].startswith(b"\x89PNG")
    assert ET.fromstring(first[1]).tag.endswith("svg")
    assert [path.read_bytes() for path in write_sweep_figure(results, tmp_path / "out")] == first
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["anchor_sweep.png", "anchor_sweep.svg"]


def test_a_plan_without_results(tmp_path: Path):
    plan = Plan(tmp_path)
    plan.add("surv", "A", None)
    (axes,) = sweep_figure(load_results(plan.path)).axes
    assert ([text.get_text() for text in axes.texts], axes.get_title()) == (["no results yet"], "survival")
