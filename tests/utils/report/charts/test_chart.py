from __future__ import annotations

import re

import numpy as np
import pytest

from tests.utils.report.pictures import check_picture, parsed, paths, points, shown_data, texts
from utils.report.charts.chart import Key, Plot, left_out_text, look
from utils.report.charts.scale import Scale, nice_ticks, padded
from utils.report.charts.svg import SHAPES, line_path, mark, step_path, tag, text, text_width, thinned_steps


def test_text_is_escaped():
    assert parsed(tag("g", data_tip='a < b & "c"\nd')).attrib["data-tip"] == 'a < b & "c"\nd'
    assert parsed(text(1, 2, "p < 0.001 & more")).text == "p < 0.001 & more"


def test_a_long_label_is_cut_and_kept_whole_in_its_title():
    words = "a label that is much longer than its place"
    element = parsed(text(0, 0, words, width=100))
    assert element.text is not None
    head, tail = element.text.split("…")
    assert words.startswith(head)
    assert words.endswith(tail)
    assert abs(len(head) - len(tail)) <= 2
    assert text_width(element.text) <= 100
    assert element.find("title").text == words  # type: ignore[union-attr]
    assert parsed(text(0, 0, "short", width=100)).find("title") is None


def test_a_line_is_broken_where_values_are_missing():
    x, y = np.arange(5.0), np.array([1.0, 2.0, np.nan, 4.0, 5.0])
    assert line_path(x, y) == "M0 1L1 2M3 4L4 5"


def test_steps_keep_their_height_until_the_next_one():
    path = step_path(np.array([0.0, 2.0, 5.0]), np.array([1.0, 3.0, 4.0]), end=7)
    assert points(path).tolist() == [[0, 1], [2, 1], [2, 3], [5, 3], [5, 4], [7, 4]]


def test_thinned_steps_are_true_steps_with_both_ends():
    rng = np.random.default_rng(0)
    x, y = np.sort(rng.random(1000)) * 400, np.sort(rng.random(1000)) * 250
    kept = thinned_steps(x, y, 100)
    assert len(kept) <= 101
    assert (kept[0], kept[-1]) == (0, 999)
    # Nowhere is the drawn curve further off than the way between two kept steps.
    drawn = y[kept][np.searchsorted(x[kept], x, side="right") - 1]
    assert np.abs(drawn - y).max() <= 2 * 650 / 99
    np.testing.assert_array_equal(thinned_steps(x[:50], y[:50], 100), np.arange(50))
    assert thinned_steps(np.zeros(500), np.zeros(500), 10).tolist() == [0, 499]


def test_scales_keep_values_within_the_picture():
    scale = Scale(-1, 1, 100, 200)
    np.testing.assert_allclose(scale([-1, 0, 1, 7, -7]), [100, 150, 200, 200, 100])


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3.2, 0.4), (0, 12345), (1e-5, 3e-4), (0.61, 0.64), (5, 5)])
def test_ticks_are_within_the_range_evenly_spaced_and_few(low: float, high: float):
    ticks = nice_ticks(low, high)
    assert 1 <= len(ticks) <= 7
    assert min(ticks) >= low - 1e-12
    assert max(ticks) <= high + 1e-12
    assert np.ptp(np.diff(ticks)) < 1e-9 if len(ticks) > 2 else True
    assert padded(low, high)[0] < low
    assert padded(low, high)[1] > high


def test_series_differ_by_more_than_colour():
    looks = [look(index) for index in range(20)]
    assert len(set(looks)) == 20
    assert len({one.split()[1] for one in looks[:8]}) == 8
    shapes = [re.search(r' d="([^"]*)"', mark(index, 0, 0))[1] for index in range(16)]  # type: ignore[index]
    assert len(set(shapes[:8])) == len(SHAPES) == 8
    assert all(shapes[index] != shapes[index + 8] for index in range(8))


def test_a_plot_puts_values_where_its_axes_say():
    plot = Plot((0, 10), (0, 100), legend=[Key("one", look(0)), Key("two", "s1", "band"), Key("three", "s2", 2)])
    plot.x_axis([0, 5, 10], "time (months)")
    plot.y_axis([0, 50, 100], "share (%)")
    plot.line([0, 5, 10], [0, 50, 100], 0)
    plot.band([0, 10], [10, 20], [30, 40], 1)
    plot.frame()
    plot.hover("one", 0, [0, 5, 10], [0, 0.12345, np.nan], low=[0, 0, 0], high=[1, 1, 1])
    svg = plot.svg("a title", "what it shows", x_name="months")
    check_picture(svg)
    assert {"one", "two", "three", "time (months)", "share (%)"} <= set(texts(svg))
    np.testing.assert_allclose(
        paths(svg, "line", "d0")[1], np.stack([plot.x([0, 5, 10]), plot.y([0, 50, 100])], 1), atol=0.05
    )
    corners = [(0, 30), (10, 40), (10, 20), (0, 10), (0, 30)]
    expected = [(float(plot.x(x)), float(plot.y(y))) for x, y in corners]
    np.testing.assert_allclose(paths(svg, "band")[0], expected, atol=0.05)
    data = shown_data(svg)
    assert data["box"] == pytest.approx([plot.left, plot.top, plot.right, plot.bottom], abs=0.06)
    assert (data["x"], data["y"], data["name"], data["xs"]) == ([0, 10], [0, 100], "months", [0, 5, 10])
    assert data["series"] == [{"n": "one", "s": 0, "y": [0, 0.123, None], "lo": [0, 0, 0], "hi": [1, 1, 1]}]


def test_a_step_band_covers_each_step():
    plot = Plot((0, 10), (0, 1))
    plot.band([0, 4, 10], [0.5, 0.2, 0.1], [1, 0.8, 0.6], 0, step=True)
    corners = [(0, 1), (4, 1), (4, 0.8), (10, 0.8), (10, 0.6), (10, 0.2), (4, 0.2), (4, 0.5), (0, 0.5), (0, 1)]
    drawn = paths(plot.svg("t", "d"), "band")[0]
    expected = np.array([(float(plot.x(x)), float(plot.y(y))) for x, y in corners])
    for corner in expected:
        assert np.abs(drawn - corner).sum(axis=1).min() < 0.2, corner


def test_many_legend_entries_stand_in_rows_below_one_another():
    svg = Plot((0, 1), (0, 1), legend=[Key(f"fold {index}: 0.123", look(index)) for index in range(12)]).svg("t", "d")
    check_picture(svg)
    assert len(texts(svg)) == 12


def test_folds_left_out_are_named_by_reason():
    assert left_out_text({}) == ""
    assert left_out_text({1: "no events"}) == "Left out: fold 1 (no events)."
