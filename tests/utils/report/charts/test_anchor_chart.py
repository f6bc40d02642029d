from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.utils.report.pictures import check_picture, parsed, paths, shown_data, texts, tips
from utils.report.charts.anchor_chart import anchor_charts


def _anchors(n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"anchor": range(n), "share": rng.dirichlet(np.full(n, 0.5))})
    return table.assign(mean_attention=rng.gamma(2, 0.5, n), note="")


def _with_hazards(anchors: pd.DataFrame) -> pd.DataFrame:
    effect = np.linspace(-0.5, 0.5, len(anchors))
    limits = {"log_hazard": effect, "log_hazard_low": effect - 0.2, "log_hazard_high": effect + 0.2}
    return anchors.assign(**limits, p=1 - 2 * np.abs(effect), p_holm=1.0)


def test_share_and_attention_of_each_anchor():
    anchors = _anchors(64)
    anchors.loc[3, ["share", "mean_attention"]] = 0.0, np.nan
    (chart,) = anchor_charts(anchors, None)
    check_picture(chart.svg)
    assert len(tips(chart.svg)) == 63
    first = anchors.iloc[0]
    expected = ["anchor 0", f"{first['share']:.2%} of the patches", f"attention {first['mean_attention']:.3g}"]
    assert tips(chart.svg)[0] == expected
    assert str(anchors["mean_attention"].idxmax()) in texts(chart.svg)
    assert {"share of the patches", "attention (1: as the average patch)"} <= set(texts(chart.svg))
    assert "1 anchor of 64: nearest to no patch." in chart.note
    assert len(chart.svg.encode()) < 12 * 1024


def test_only_anchors_among_the_highest_are_named():
    """All anchors of highest share and attention crowd one place; the others have room."""
    anchors = _anchors(30)
    anchors["share"] = [*np.linspace(0.0, 0.05, 24), *[0.12] * 6]
    anchors["mean_attention"] = [*np.linspace(0.0, 1.0, 24), *[2.0] * 6]
    (chart,) = anchor_charts(anchors, None)
    named = [label.text for label in parsed(chart.svg).iter("text") if label.attrib["class"] == "small"]
    assert len(named) == 1
    assert set(named) <= {str(k) for k in range(24, 30)}
    assert "Numbers: of the 4 anchors of highest share and the 4 of highest attention" in chart.note


def test_an_anchor_is_marked_for_notes_about_the_class_of_the_chart():
    anchors = _anchors(3)
    for c in (0, 1):
        anchors = anchors.assign(**{f"auc_{c}": [0.7, 0.6, 0.4], f"auc_{c}_low": 0.3, f"auc_{c}_high": 0.8})
        anchors = anchors.assign(**{f"p_{c}": 0.5, f"p_{c}_holm": 1.0})
    anchors["note"] = ["class 0: no interval", "class 1: no interval; in 2 cases only", ""]
    _, zero, one = anchor_charts(anchors, None)
    assert [lines[0] for lines in tips(zero.svg)] == ["anchor 0*, p 1.000", "anchor 1*, p 1.000", "anchor 2, p 1.000"]
    assert [lines[0] for lines in tips(one.svg)] == ["anchor 0, p 1.000", "anchor 1*, p 1.000", "anchor 2, p 1.000"]


def test_a_perfect_separation_is_drawn_and_anchors_without_p_are_counted():
    anchors = _anchors(40).assign(auc_1=0.6, auc_1_low=0.5, auc_1_high=0.7, p_1=0.2, p_1_holm=1.0)
    anchors.loc[30, ["auc_1", "auc_1_low", "auc_1_high", "p_1"]] = 1.0, np.nan, np.nan, 0.001
    anchors.loc[30, "note"] = "class 1: no limits"
    anchors.loc[[0, 1], ["auc_1", "auc_1_low", "auc_1_high", "p_1", "p_1_holm"]] = 0.9, np.nan, np.nan, np.nan, np.nan
    anchors.loc[2, ["auc_1", "auc_1_low", "auc_1_high", "p_1", "p_1_holm"]] = np.nan
    _, chart = anchor_charts(anchors, None)
    check_picture(chart.svg)
    assert tips(chart.svg)[0] == ["anchor 30*, p 1.000", "1.000"]
    assert len(tips(chart.svg)) == 16
    assert not {"anchor 0", "anchor 1", "anchor 2"} & {lines[0].split(",")[0] for lines in tips(chart.svg)}
    assert chart.note.startswith("The 16 of 37 anchors with the smallest p.")
    assert "Without p, and not drawn: 3 anchors of 40." in chart.note


def test_the_anchors_with_the_smallest_p_are_ordered_by_their_association():
    anchors = _with_hazards(_anchors(40))
    anchors.loc[39, "note"] = "rests on 2 cases"
    _, chart = anchor_charts(anchors, None)
    check_picture(chart.svg)
    names = [lines[0].split(",")[0] for lines in tips(chart.svg)]
    assert names == ["anchor 39*", *(f"anchor {k}" for k in (*range(38, 31, -1), *range(7, -1, -1)))]
    assert chart.note.startswith("The 16 of 40 anchors with the smallest p.")
    assert "*: see the note" in chart.note
    assert "die earlier" in chart.note


def test_each_class_has_a_chart_with_its_own_p_values():
    anchors = _anchors(4)
    for c, auc in ((0, 0.7), (2, np.nan)):
        anchors = anchors.assign(**{f"auc_{c}": auc, f"auc_{c}_low": auc - 0.1, f"auc_{c}_high": auc + 0.1})
        anchors = anchors.assign(**{f"p_{c}": [0.1, 0.2, 0.3, 0.4], f"p_{c}_holm": 0.4})
    _, first, second = anchor_charts(anchors, None)
    check_picture(first.svg)
    assert first.title == "Anchors and class 0"
    assert tips(first.svg)[0] == ["anchor 0, p 0.400", "0.700 (0.600–0.800)"]
    assert (second.title, second.svg) == ("Anchors and class 2", "")
    assert "undefined" in second.note


def test_the_heat_map_holds_the_mixing():
    overall = np.array([[0.5, -1.0, 0.0], [0.25, 0.0, 0.04]])
    *_, chart = anchor_charts(_anchors(3), {"stages": [], "overall": overall.tolist()})
    check_picture(chart.svg)
    heat = shown_data(chart.svg)["heat"]
    assert (heat["rows"], heat["columns"]) == (2, 3)
    np.testing.assert_allclose(np.array(heat["v"]) * heat["unit"], overall.ravel(), atol=1e-3)
    left, top, right, bottom = shown_data(chart.svg)["box"]
    (negative,) = paths(chart.svg, "cell", "minus")
    np.testing.assert_allclose(negative[0], [left + (right - left) / 3, top], atol=0.1)
    np.testing.assert_allclose(negative[2], [left + 2 * (right - left) / 3, (top + bottom) / 2], atol=0.1)
    assert "largest 1" in chart.note
    assert {"anchor of the first stage", "remaining anchor"} <= set(texts(chart.svg))


@pytest.mark.parametrize("shape", [(1, 2), (8, 64), (16, 128), (32, 256), (1, 1), (3, 900)])
def test_heat_maps_of_any_size_fit(shape: tuple[int, int]):
    overall = np.random.default_rng(0).normal(size=shape)
    *_, chart = anchor_charts(_anchors(shape[1]), {"overall": overall.tolist()})
    check_picture(chart.svg)
    assert len(chart.svg.encode()) < 12 * 1024 * max(1, overall.size / 512)


def test_no_reducer_moves_anything_and_no_anchor_is_known():
    anchors = _anchors(2).assign(mean_attention=np.nan)
    first, second = anchor_charts(anchors, {"overall": [[0.0, 0.0]]})
    assert first.svg == ""
    check_picture(second.svg)
