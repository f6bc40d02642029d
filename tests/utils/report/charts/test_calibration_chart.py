from __future__ import annotations

import numpy as np

from tests.utils.report.cohorts import classification_fold, outcomes_of, survival_fold, table_of_survival
from tests.utils.report.pictures import check_picture, parsed, texts, tips
from utils.report.charts.calibration_chart import calibration_charts
from utils.statistics.calibration import (
    brier_score,
    expected_calibration_error,
    reliability,
    survival_reliability,
    training_edges,
)
from utils.statistics.class_calibration import calibration_error_if_calibrated


def _marks(svg: str) -> list[tuple[float, ...]]:
    marks = [p for p in parsed(svg).iter("path") if "mark" in p.attrib["class"].split()]
    return [tuple(float(number) for number in p.attrib["transform"][10:-1].split()) for p in marks]


def test_two_classes_have_the_reliability_of_class_1_over_all_folds():
    tables = {fold: classification_fold(fold, n=40) for fold in range(3)}
    (chart,) = calibration_charts(tables, None)
    check_picture(chart.svg)
    prob = np.concatenate([table["prob_1"] for table in tables.values()])
    occurred = np.concatenate([table["label"] == 1 for table in tables.values()])
    bins = reliability(prob, occurred, 10)
    expected = [
        [f"predicted {p:.3f}", f"observed {o:.3f} ({low:.3f} to {high:.3f})", f"{n} slides"]
        for p, o, low, high, n in zip(bins.predicted, bins.observed, bins.low, bins.high, bins.n, strict=True)
    ]
    assert tips(chart.svg) == expected
    marks = np.array(_marks(chart.svg))
    # The axes are square: both coordinates are the same straight line in the values.
    scale = np.polyfit(bins.predicted, marks[:, 0], 1)
    np.testing.assert_allclose(np.polyval(scale, bins.predicted), marks[:, 0], atol=0.06)
    np.testing.assert_allclose(np.ptp(marks[:, 1]) / scale[0], np.ptp(bins.observed), atol=1e-3)
    assert f"Expected calibration error {expected_calibration_error(bins):.3f}" in chart.note
    both = np.stack([1 - prob, prob], axis=1)
    patient = np.concatenate([table["case_id"] for table in tables.values()]).astype(str)
    expected_error = calibration_error_if_calibrated(both, patient, seed=2024)
    assert f" ({expected_error:.3f} expected of a perfectly calibrated model with these predictions)." in chart.note
    constant = occurred.mean() * (1 - occurred.mean())
    assert f"Brier score {brier_score(prob, occurred):.3f} ({constant:.3f} of the share of the class" in chart.note
    assert {"predicted probability of class 1", "observed share"} <= set(texts(chart.svg))


def test_limits_count_patients_not_slides():
    """60 slides of 20 patients: groups of ten patients, and limits as wide as those of 20."""
    table = classification_fold(0, n=60)
    several = table.assign(case_id=[f"P{row // 3}" for row in range(60)])
    (chart,) = calibration_charts({0: several}, None)
    (plain,) = calibration_charts({0: table}, None)
    bins = reliability(table["prob_1"].to_numpy(), table["label"].to_numpy() == 1, 2, several["case_id"].to_numpy())
    assert [lines[1] for lines in tips(chart.svg)] == [
        f"observed {o:.3f} ({low:.3f} to {high:.3f})"
        for o, low, high in zip(bins.observed, bins.low, bins.high, strict=True)
    ]
    assert (
        "60 test slides of 1 fold in 2 groups of similar prediction; bars: 95 % Wilson limits that count" in chart.note
    )
    assert "in 6 groups of similar prediction; bars: 95 % Wilson limits; on the diagonal" in plain.note


def test_more_classes_have_a_chart_each():
    charts = calibration_charts({0: classification_fold(0, n_classes=3)}, None)
    assert [chart.title[-7:] for chart in charts] == ["class 0", "class 1", "class 2"]
    for chart in charts:
        check_picture(chart.svg)


def test_survival_is_that_at_the_middle_edge():
    tables = {fold: survival_fold(fold) for fold in range(2)}
    outcomes = {fold: outcomes_of(survival_fold(7 + fold, n=200)) for fold in range(2)}
    (chart,) = calibration_charts(tables, outcomes)
    check_picture(chart.svg)
    result = survival_reliability(tables, training_edges(tables, outcomes)[0])
    assert [lines[1].split()[1] for lines in tips(chart.svg)] == [f"{value:.3f}" for value in result.groups.observed]
    assert "predicted probability of survival" in texts(chart.svg)
    first, last = sorted(result.edges.values())
    assert f"({first:.3g} to {last:.3g} months)" in chart.note
    assert "units of each fold's edge" in chart.note


def test_without_outcomes_or_estimates_the_note_says_why():
    tables = {0: survival_fold(0)}
    (chart,) = calibration_charts(tables, None)
    assert chart.svg == ""
    assert "outcomes_train.csv" in chart.note
    one_bin = outcomes_of(survival_fold(1)).assign(bin=0)
    (chart,) = calibration_charts(tables, {0: one_bin})
    assert (chart.svg, chart.note) == ("", "No curve: no training case in time bin 1, 2, 3.")
    lost = table_of_survival(np.array([5.0, 6.0]), np.array([1, 0]), np.arange(2.0))
    (chart,) = calibration_charts({0: lost}, {0: outcomes_of(survival_fold(7, n=200))})
    assert chart.svg == ""
    assert "nobody is under observation" in chart.note


def test_a_group_without_an_estimate_has_no_point():
    followed = survival_fold(0, n=10).assign(hazard_0=0.1, hazard_1=0.1, time=60.0)
    lost = survival_fold(1, n=10).assign(hazard_0=0.8, hazard_1=0.8, time=1.0, event=0)
    (chart,) = calibration_charts({0: followed, 1: lost}, {k: outcomes_of(survival_fold(7, n=200)) for k in (0, 1)})
    check_picture(chart.svg)
    assert tips(chart.svg) == [["predicted 0.810", "observed 1.000", "10 cases"]]
    assert "Without a point: 1 group with nobody under observation at the edge." in chart.note
