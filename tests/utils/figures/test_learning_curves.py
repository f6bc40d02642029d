from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from utils.figures.learning_curves import learning_curves
from utils.runs.epoch_log import best_epoch, read_log
from utils.runs.tasks import CLASSIFICATION, SURVIVAL

LOG = """epoch,train_loss,val_loss,val_c_index,lr,seconds,best
1,1.5,1.25,0.5,0.0002,3,1
2,1.25,1.0,,0.0002,3,1
3,1.0,1.125,0.75,0.0002,3,0
"""


def _log(path: Path, text: str = LOG) -> Path:
    path.write_text(text)
    return path


def test_the_curves_are_the_log(tmp_path: Path):
    log = read_log(_log(tmp_path / "log.csv"))
    figure = learning_curves({3: log}, SURVIVAL, "title")
    loss, metric = figure.axes
    train, validation, best = loss.get_lines()
    assert train.get_xdata().tolist() == [1, 2, 3]
    assert train.get_ydata().tolist() == [1.5, 1.25, 1.0]
    assert validation.get_ydata().tolist() == [1.25, 1.0, 1.125]
    assert list(best.get_xdata()) == [2, 2]
    np.testing.assert_array_equal(metric.get_lines()[0].get_ydata(), [0.5, np.nan, 0.75])
    assert loss.get_title() == "fold 3 (best epoch 2)"
    assert (loss.get_ylabel(), metric.get_ylabel(), metric.get_xlabel()) == ("loss", "C-index, validation", "epoch")


@pytest.mark.parametrize("n_folds", [1, 4, 5, 10])
def test_each_fold_has_two_panels_and_the_figure_can_be_drawn(tmp_path: Path, n_folds: int):
    log = read_log(_log(tmp_path / "log.csv", LOG.replace("val_c_index", "val_f1")))
    figure = learning_curves(dict.fromkeys(range(n_folds), log), CLASSIFICATION, "title")
    figure.canvas.draw()
    assert len(figure.axes) == 2 * n_folds
    assert sorted(axes.get_title() for axes in figure.axes if axes.get_title()) == sorted(
        f"fold {fold} (best epoch 2)" for fold in range(n_folds)
    )


@pytest.mark.parametrize("header", ["val_c_index", "val_other"])
def test_a_metric_without_values_is_said_to_be_undefined(tmp_path: Path, header: str):
    text = f"epoch,train_loss,val_loss,{header},best\n1,1,1,,0\n2,1,1,,0\n"
    log = read_log(_log(tmp_path / "log.csv", text))
    figure = learning_curves({0: log}, SURVIVAL, "title")
    figure.canvas.draw()
    assert [text.get_text() for text in figure.axes[1].texts] == ["undefined\nin every epoch"]
    assert figure.axes[0].get_title() == "fold 0"
    assert best_epoch(log) is None
