"""How long trainings may take yet, by hand-worked figures."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.utils.runs.test_fold_state import put, settings
from utils.files.locks import locked
from utils.runs.epoch_log import write_log
from utils.runs.run_dir import fold_dir
from utils.runs.time_left import FoldsToCome, folds_to_come, likely_left, most_left, pace


def train(place: Path, seconds: Sequence[float], *, finished: bool) -> None:
    rows = [
        {"epoch": k, "train_loss": 1.0, "val_loss": 1.0, "val_f1": 0.5, "seconds": value, "best": int(k == 1)}
        for k, value in enumerate(seconds, 1)
    ]
    write_log(place / "log.csv", rows)
    if finished:
        put(place, "checkpoint.pt", "predictions_val.csv")


def test_the_pace_is_that_of_the_last_ten_epochs():
    assert pace([100.0, *[2.0] * 9, 4.0]) == 2.2
    assert pace([3.0, 5.0]) == 4.0
    assert most_left([100.0, *[2.0] * 10], 5) == 10.0


@pytest.mark.parametrize(
    ("seconds", "n_epochs", "finished", "expected"),
    [
        ([], 200, [30.0, 50.0], 40.0),  # not begun: the mean of those that are done
        ([2.0, 2.0], 198, [30.0, 50.0], 36.0),
        ([2.0] * 30, 170, [30.0, 50.0], 2.0),  # longer than they were: the epoch at hand
        ([2.0] * 9, 3, [30.0, 50.0], 6.0),  # not more than the epochs that are left
        ([2.0] * 9, 0, [30.0, 50.0], 0.0),
    ],
)
def test_a_training_ends_as_others_have(seconds: list[float], n_epochs: int, finished: list[float], expected: float):
    assert likely_left(seconds, n_epochs, finished) == expected


def test_the_folds_to_come_in_words():
    assert FoldsToCome(2, (600.0,)).in_words([1.0], 700) == "about 30 min with the 2 folds to come"
    assert FoldsToCome(1, (600.0,)).in_words([1.0] * 5, 700) == "about 20 min with the 1 fold to come"
    assert FoldsToCome(1, (600.0,)).in_words([1.0] * 5, 5) == "about 10 min with the 1 fold to come"


def test_folds_to_come_are_those_whose_locks_this_process_holds(tmp_path: Path):
    options = settings(stage="train", epochs=3)
    with ExitStack() as held:
        for k in (0, 1, 2):
            held.enter_context(locked(fold_dir(tmp_path, k)))
        assert folds_to_come(tmp_path, 0, options) is None  # none is done
        train(fold_dir(tmp_path, 0), [2.0, 3.0, 4.0], finished=True)
        train(fold_dir(tmp_path, 1), [2.0], finished=False)
        train(fold_dir(tmp_path, 3), [2.0], finished=False)  # left by another process
        assert folds_to_come(tmp_path, 1, options) == FoldsToCome(1, (9.0,))
        train(fold_dir(tmp_path, 1), [1.0, 1.0, 1.0], finished=True)
        assert folds_to_come(tmp_path, 2, options) is None  # the last one
        assert folds_to_come(tmp_path, 3, options) == FoldsToCome(1, (9.0, 3.0))


def test_folds_to_come_without_a_run(tmp_path: Path):
    assert folds_to_come(tmp_path / "none", 0, settings()) is None
