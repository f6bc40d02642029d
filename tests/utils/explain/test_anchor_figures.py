from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from tests.utils.explain.anchor_tables import classes_of_cases, random_counts, shares_of, survival_of
from utils.explain.anchor_figures import MAX_ANCHORS, anchor_overview, column_order, mixing_figure
from utils.explain.anchor_statistics import anchor_statistics
from utils.figures.palette import BLACK, GREY, VERMILION


def _statistics(n_anchors: int, task: str = "surv") -> pd.DataFrame:
    counts, rng = random_counts(40, n_anchors, seed=n_anchors), np.random.default_rng(0)
    outcome = survival_of(rng.exponential(9, 40), rng.random(40) < 0.6)
    if task != "surv":
        outcome = classes_of_cases(np.arange(40) % int(task), int(task))
    return anchor_statistics(shares_of(counts), outcome)


def _row_names(figure: Figure) -> list[int]:
    return [int(label.get_text()) for label in figure.axes[0].get_yticklabels()]


def _mixing(n_anchors: int, n_stages: int = 3) -> dict:
    rng = np.random.default_rng(0)
    sizes = [n_anchors // 2**stage for stage in range(n_stages + 1)]
    stages = [rng.normal(size=(after, before)) for before, after in pairwise(sizes)]
    overall = np.linalg.multi_dot(stages[::-1]) if n_stages > 1 else stages[0]
    return {"stages": [stage.tolist() for stage in stages], "overall": overall.tolist()}


@pytest.mark.slow
@pytest.mark.parametrize("n_anchors", [8, 16, 64, 128])
@pytest.mark.parametrize("task", ["surv", "2", "4"])
def test_rows_are_the_most_frequent_anchors_and_the_title_says_which_are_missing(n_anchors: int, task: str):
    statistics = _statistics(n_anchors, task)
    figure = anchor_overview(statistics, "a data set, fold 0")
    figure.canvas.draw()
    n_chosen = int((statistics["n_patches"] > 0).sum())
    names = _row_names(figure)
    assert len(names) == min(n_chosen, MAX_ANCHORS)
    shares = statistics["share"].to_numpy()[names]
    assert (np.diff(shares) <= 0).all()
    assert shares.min() >= np.delete(statistics["share"].to_numpy(), names).max(initial=0)
    title = " ".join(figure.get_suptitle().split())
    assert ("64 most frequent of 128 anchors" in title) == (n_chosen > MAX_ANCHORS)
    assert (f"({n_anchors - n_chosen} of {n_anchors} nearest to no patch)" in title) == (n_chosen < n_anchors)
    assert len(figure.axes) == {"surv": 3, "2": 3, "4": 6}[task]
    np.testing.assert_allclose([bar.get_width() for bar in figure.axes[0].patches], 100 * shares)


@pytest.mark.slow
def test_row_names_do_not_overlap():
    figure = anchor_overview(_statistics(128), "title")
    figure.canvas.draw()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
    assert all(upper.y0 >= lower.y1 - 1 for upper, lower in pairwise(boxes))


def test_intervals_and_colours_are_those_of_the_table():
    """Anchor 0: clear; 1: not clear; 2: a note in spite of a small p; 3: no interval; 4: undefined."""
    nan = np.nan
    statistics = pd.DataFrame(
        {
            "anchor": range(5),
            "n_patches": [50, 40, 30, 20, 10],
            "share": np.array([50, 40, 30, 20, 10]) / 150,
            "n_cases": [9, 9, 2, 9, 9],
            "mean_attention": [2.0, 0.5, 1.0, 1.0, nan],
            "auc_1": [0.9, 0.6, 0.8, 1.0, nan],
            "auc_1_low": [0.8, 0.4, 0.7, nan, nan],
            "auc_1_high": [0.95, 0.8, 0.9, nan, nan],
            "p_1": [0.001, 0.3, 0.001, nan, nan],
            "p_1_holm": [0.003, 0.3, 0.003, nan, nan],
            "note": ["", "", "in 2 cases only", "one side", "no events"],
        }
    )
    axes = anchor_overview(statistics, "title").axes[2]
    points = {line.get_ydata()[0]: line for line in axes.get_lines() if line.get_marker() == "o"}
    assert {row: line.get_xdata()[0] for row, line in points.items()} == {0: 0.9, 1: 0.6, 2: 0.8, 3: 1.0}
    assert [points[row].get_color() for row in range(4)] == [VERMILION, BLACK, GREY, GREY]
    faces = [to_hex(points[row].get_markerfacecolor()).upper() for row in range(4)]
    assert faces == [VERMILION, "#FFFFFF", "#FFFFFF", "#FFFFFF"]
    intervals = [line for line in axes.get_lines() if line.get_marker() != "o" and len(set(line.get_ydata())) == 1]
    assert [list(line.get_xdata()) for line in intervals] == [[0.8, 0.95], [0.4, 0.8], [0.7, 0.9]]
    assert [text.get_text() for text in axes.texts] == ["undefined"]


def test_notes_of_another_class_and_of_an_exact_p_are_no_doubt():
    """Anchors 0 and 1 separate class 0, clearly and not; 2 and 3 have notes about a class; 4 has one on its cases."""
    nan = np.nan
    columns = {"auc_0": [1.0, 0.0, 0.7, 0.7, 1.0], "auc_0_low": [nan, nan, 0.6, 0.6, nan]}
    columns |= {"auc_0_high": [nan, nan, 0.8, 0.8, nan], "p_0": [0.002, 0.1, 0.01, 0.01, 0.002]}
    columns |= {"p_0_holm": [0.01, 0.2, 0.03, 0.03, 0.01]}
    columns |= {name.replace("_0", "_1", 1): [0.5] * 5 for name in list(columns)}
    notes = ["class 0: one side", "class 0: one side", "class 1: a", "class 0: b", "class 0: one side; in 2 cases only"]
    statistics = pd.DataFrame({"anchor": range(5), "n_patches": [5, 4, 3, 2, 1], "share": [0.3, 0.3, 0.2, 0.1, 0.1]})
    statistics = statistics.assign(n_cases=9, mean_attention=1.0, **columns, note=notes)
    zero, one = anchor_overview(statistics, "title").axes[2:]
    assert _colours(zero) == [VERMILION, BLACK, VERMILION, GREY, GREY]
    assert _colours(one) == [BLACK, BLACK, GREY, BLACK, GREY]
    assert sum(len(set(line.get_ydata())) == 1 and len(line.get_xdata()) == 2 for line in zero.get_lines()) == 2


def _colours(axes: Axes) -> list[str]:
    """Of the points, from the first row on."""
    points = {line.get_ydata()[0]: line.get_color() for line in axes.get_lines() if line.get_marker() == "o"}
    return [points[row] for row in sorted(points)]


def test_a_fold_without_any_association_is_drawn():
    counts = random_counts(6, 8, seed=1)
    figure = anchor_overview(anchor_statistics(shares_of(counts), survival_of(np.arange(1.0, 7), np.zeros(6))), "title")
    figure.canvas.draw()
    assert {text.get_text() for text in figure.axes[2].texts} == {"undefined"}


@pytest.mark.parametrize(("estimate", "marker"), [(0.0, "o"), (-80.0, "<"), (80.0, ">")])
def test_one_very_wide_interval_does_not_hide_the_others(estimate: float, marker: str):
    statistics = _statistics(16)
    columns = ["log_hazard", "log_hazard_low", "log_hazard_high"]
    statistics.loc[0, columns] = [estimate, estimate - 400, estimate + 400]
    axes = anchor_overview(statistics, "title").axes[2]
    low, high = axes.get_xlim()
    assert high == -low
    assert high < 20
    assert (statistics["log_hazard"].iloc[1:].dropna().abs() < high).all()
    row = _row_names(axes.figure).index(0)
    (point,) = [line for line in axes.get_lines() if line.get_marker() in "<o>" and line.get_ydata()[0] == row]
    assert point.get_marker() == marker
    assert point.get_xdata()[0] == pytest.approx(np.sign(estimate) * high)


def test_columns_of_one_remaining_anchor_stand_together_strongest_first():
    overall = np.array(_mixing(16)["overall"])
    order = column_order(overall)
    assert sorted(order.tolist()) == list(range(16))
    groups = np.abs(overall).argmax(axis=0)[order]
    assert (np.diff(groups) >= 0).all()
    strength = np.abs(overall).max(axis=0)[order]
    for group in set(groups.tolist()):
        assert (np.diff(strength[groups == group]) <= 0).all()


@pytest.mark.parametrize(("n_anchors", "n_stages"), [(8, 3), (64, 3), (128, 3), (4, 1), (16, 4)])
def test_maps_hold_the_matrices_with_0_in_the_middle_of_the_colours(n_anchors: int, n_stages: int):
    mixing = _mixing(n_anchors, n_stages)
    figure = mixing_figure(mixing, "a data set, fold 0")
    figure.canvas.draw()
    images = [axes.images[0] for axes in figure.axes if axes.images]
    assert len(images) == 1 + n_stages
    overall = np.array(mixing["overall"])
    names = [int(label.get_text()) for label in images[0].axes.get_xticklabels()]
    np.testing.assert_array_equal(images[0].get_array(), overall[:, names])
    for image, stage in zip(images[1:], mixing["stages"], strict=True):
        np.testing.assert_array_equal(image.get_array(), stage)
    for image in images:
        assert image.norm.vmin == -image.norm.vmax
        assert image.norm.vmax == np.abs(image.get_array()).max()
        assert image.colorbar is not None
    edges = [line.get_xdata()[0] for line in images[0].axes.get_lines()]
    groups = np.abs(overall).argmax(axis=0)[names]
    assert edges == [k + 0.5 for k in range(n_anchors - 1) if groups[k] != groups[k + 1]]


def test_a_mixing_of_zeros_is_drawn():
    mixing = {"stages": [np.zeros((2, 4)).tolist()], "overall": np.zeros((2, 4)).tolist()}
    mixing_figure(mixing, "title").canvas.draw()
