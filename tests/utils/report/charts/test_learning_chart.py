from __future__ import annotations

import re

import numpy as np
import pytest

from tests.utils.report.cohorts import training_log
from tests.utils.report.pictures import as_values, check_picture, parsed, paths, shown_data, texts
from utils.report.charts.learning_chart import learning_charts
from utils.runs.tasks import CLASSIFICATION, SURVIVAL, Task


@pytest.mark.parametrize(
    ("task", "column", "words"), [(CLASSIFICATION, "val_f1", "macro F1"), (SURVIVAL, "val_c_index", "C-index")]
)
def test_curves_are_those_of_the_logs(task: Task, column: str, words: str):
    logs = {0: training_log(12, best=4), 2: training_log(20, best=19, seed=1)}
    loss, metric = learning_charts(logs, task)
    for chart, axis in ((loss, "loss"), (metric, words)):
        check_picture(chart.svg)
        assert {"epoch", axis, "fold 0", "fold 2"} <= set(texts(chart.svg))
    curves = {curve["n"]: curve for curve in shown_data(loss.svg)["series"]}
    assert list(curves) == [f"fold {fold}, {which}" for fold in (0, 2) for which in ("training", "validation")]
    for fold, log in logs.items():
        np.testing.assert_allclose(curves[f"fold {fold}, training"]["y"], log["train_loss"], atol=5e-4)
        np.testing.assert_allclose(curves[f"fold {fold}, validation"]["y"], log["val_loss"], atol=5e-4)
    drawn = [as_values(loss.svg, path) for path in paths(loss.svg, "line")][2:]  # after those of the legend
    expected = [log[["epoch", name]] for log in logs.values() for name in ("train_loss", "val_loss")]
    for curve, values in zip(drawn, expected, strict=True):
        np.testing.assert_allclose(curve, values, atol=0.01)
    assert curves["fold 2, training"]["x"] == list(range(20))
    data = shown_data(metric.svg)
    np.testing.assert_allclose(data["series"][0]["y"], logs[0][column], atol=5e-4)
    assert words in metric.title


def test_the_checkpoint_is_marked_on_the_validation_curve():
    log = training_log(12, best=4)
    loss, _ = learning_charts({0: log}, CLASSIFICATION)
    data = shown_data(loss.svg)
    (mark,) = [p for p in parsed(loss.svg).iter("path") if "mark" in p.attrib["class"].split()]
    left, top, right, bottom = data["box"]
    x = left + (4 - data["x"][0]) / (data["x"][1] - data["x"][0]) * (right - left)
    y = bottom - (log["val_loss"][4] - data["y"][0]) / (data["y"][1] - data["y"][0]) * (bottom - top)
    placed = [float(number) for number in re.findall(r"[\d.]+", mark.attrib["transform"])]
    assert placed == pytest.approx([x, y], abs=0.06)


def test_undefined_values_are_gaps_or_a_note():
    log = training_log(6, best=5)
    log.loc[2, "val_f1"] = np.nan
    never = training_log(6, best=5).drop(columns="val_f1")
    _, metric = learning_charts({0: log, 1: never}, CLASSIFICATION)
    assert shown_data(metric.svg)["series"][0]["y"][2] is None
    assert "Undefined in every epoch: fold 1." in metric.note
    _, metric = learning_charts({1: never}, CLASSIFICATION)
    assert (metric.svg, metric.note) == ("", "No curve. Undefined in every epoch: fold 1.")


def test_one_epoch_and_a_constant_loss_can_be_drawn():
    log = training_log(1, best=0)
    for chart in learning_charts({0: log, 1: training_log(3, best=7).assign(train_loss=1.0, val_loss=1.0)}, SURVIVAL):
        check_picture(chart.svg)


def test_long_logs_are_thinned_and_stay_small():
    logs = {fold: training_log(200, best=77, seed=fold) for fold in range(10)}
    loss, _ = learning_charts(logs, CLASSIFICATION)
    check_picture(loss.svg)
    assert 77 in shown_data(loss.svg)["xs"]
    assert 199 in shown_data(loss.svg)["xs"]
    assert "One epoch in 7 is drawn." in loss.note
    assert len(loss.svg.encode()) < 16 * 1024
