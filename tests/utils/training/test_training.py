from __future__ import annotations

import pytest

from utils.runs.time_left import FoldsToCome
from utils.training.schedule import Progress, Schedule, timing

SCHEDULE = Schedule(epochs=200, patience=8, grad_accum=1, monitor="val_loss", tie_rule="first", seed=0, fold=0)


@pytest.mark.parametrize(
    ("seconds", "epoch", "finished", "expected"),
    [
        ([2.04], 1, False, "2.0 s, at most 7 min left"),  # 199 epochs of 2.04 s
        ([100.0] + [1.0] * 10, 11, False, "1.0 s, at most 3 min left"),  # the slow first epoch is long ago
        ([30.0, 50.0], 2, False, "50.0 s, at most 2 h 12 min left"),  # 198 of 40 s
        ([0.01], 199, False, "0.0 s, at most 1 s left"),
        ([3.0], 200, True, "3.0 s"),
        ([3.0], 20, True, "3.0 s"),  # patience has ended it
    ],
)
def test_an_epoch_says_how_long_it_took_and_what_may_be_left(
    seconds: list[float], epoch: int, finished: bool, expected: str
):
    progress = Progress(epoch=epoch, finished=finished, log=[{"seconds": value} for value in seconds])
    assert timing(progress, SCHEDULE) == expected


def test_an_epoch_says_what_is_left_of_the_folds_to_come():
    progress = Progress(epoch=1, log=[{"seconds": 2.0}])
    words = "2.0 s, at most 7 min left, about 3 min with the 2 folds to come"
    assert timing(progress, SCHEDULE, FoldsToCome(2, (50.0, 70.0))) == words
    progress.finished = True
    assert timing(progress, SCHEDULE, FoldsToCome(2, (50.0, 70.0))) == "2.0 s"
