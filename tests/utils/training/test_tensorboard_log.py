"""The event file read back by TensorBoard itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from utils.errors import UserError
from utils.runs.epoch_log import write_log
from utils.training import tensorboard_log
from utils.training.tensorboard_log import TensorBoardLog, require_tensorboard, write_whole_log

ROWS = [
    {"epoch": 1, "train_loss": 0.5, "val_c_index": None, "best": 1},
    {"epoch": 2, "train_loss": 0.25, "val_c_index": 0.75, "best": 0},
]


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {name: [(e.step, e.value) for e in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_scalars_have_the_names_and_values_of_the_log(tmp_path: Path):
    log = TensorBoardLog(tmp_path)
    for row in ROWS:
        log(row)
    log.close()
    assert scalars(tmp_path) == {
        "train_loss": [(1, 0.5), (2, 0.25)],
        "val_c_index": [(2, 0.75)],
        "best": [(1, 1.0), (2, 0.0)],
    }


def test_epochs_that_are_trained_again_take_the_place_of_the_old_ones(tmp_path: Path):
    first = TensorBoardLog(tmp_path)
    for row in ROWS:
        first(row)
    first.close()
    resumed = TensorBoardLog(tmp_path)
    resumed({"epoch": 2, "train_loss": 0.125})
    resumed.close()
    assert scalars(tmp_path)["train_loss"] == [(1, 0.5), (2, 0.125)]


def test_a_whole_log_is_written_once(tmp_path: Path):
    write_log(tmp_path / "log.csv", [{**row, "val_loss": 1.5} for row in ROWS])
    for _ in range(2):
        write_whole_log(tmp_path / "log.csv", tmp_path / "tensorboard")
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1
    assert scalars(tmp_path / "tensorboard") == {
        "train_loss": [(1, 0.5), (2, 0.25)],
        "val_c_index": [(2, 0.75)],
        "best": [(1, 1.0), (2, 0.0)],
        "val_loss": [(1, 1.5), (2, 1.5)],
    }


def test_nothing_is_written_without_an_epoch(tmp_path: Path):
    TensorBoardLog(tmp_path / "tensorboard").close()
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch):
    require_tensorboard()
    monkeypatch.setattr(tensorboard_log, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="--with-extras"):
        require_tensorboard()
