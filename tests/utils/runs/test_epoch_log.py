from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from utils.errors import UserError
from utils.runs.epoch_log import best_epoch, log_if_whole, read_log, write_log

ROWS = [
    {"epoch": 1, "train_loss": 0.1 + 0.2, "val_loss": 1.0, "val_f1": None, "lr": 2e-4, "seconds": 3.5, "best": 1},
    {"epoch": 2, "train_loss": 0.25, "val_loss": float("nan"), "val_f1": 0.5, "lr": 2e-4, "seconds": 3.0, "best": 0},
]
LOG = """epoch,train_loss,val_loss,val_f1,lr,seconds,best
1,0.30000000000000004,1.0,,0.0002,3.5,1
2,0.25,nan,0.5,0.0002,3.0,0
"""


def test_a_log_is_a_row_per_epoch_with_all_digits(tmp_path: Path):
    write_log(tmp_path / "log.csv", ROWS)
    assert (tmp_path / "log.csv").read_text() == LOG
    log = read_log(tmp_path / "log.csv")
    assert list(log.columns) == list(ROWS[0])
    assert (log.dtypes == np.float64).all()
    np.testing.assert_array_equal(log["train_loss"], [0.1 + 0.2, 0.25])
    np.testing.assert_array_equal(log["val_loss"], [1.0, np.nan])
    np.testing.assert_array_equal(log["val_f1"], [np.nan, 0.5])


@pytest.mark.parametrize(
    ("epochs", "line", "found", "expected"),
    [("0 1", 2, "0", 1), ("1 3", 3, "3", 2), ("1 1", 3, "1", 2), ("1.5 2", 2, "1.5", 1), ("1 1e999", 3, "1e999", 2),
     ("nan 2", 2, "nan", 1), ("1 -2", 3, "-2", 2)],
)  # fmt: skip
def test_epochs_are_counted_from_one(tmp_path: Path, epochs: str, line: int, found: str, expected: int):
    rows = [f"{epoch},0.5,0.5,0.5,0.0002,1,0" for epoch in epochs.split()]
    (tmp_path / "log.csv").write_text("\n".join([LOG.splitlines()[0], *rows]) + "\n")
    with pytest.raises(UserError, match=rf"column epoch, line {line}: found '{found}', expected {expected}"):
        read_log(tmp_path / "log.csv")
    assert log_if_whole(tmp_path / "log.csv") is None


def test_the_best_epoch_is_the_last_one_that_became_the_checkpoint(tmp_path: Path):
    write_log(tmp_path / "log.csv", [*ROWS, {**ROWS[1], "epoch": 3, "best": 1}])
    log = read_log(tmp_path / "log.csv")
    assert best_epoch(log) == 3
    assert best_epoch(log[log["best"] == 0]) is None


def test_a_fold_that_stopped_before_its_first_epoch_has_an_empty_log(tmp_path: Path):
    (tmp_path / "log.csv").write_text(LOG.splitlines()[0] + "\n")
    assert len(read_log(tmp_path / "log.csv")) == 0


def test_a_column_of_words_is_left_out_unless_it_is_drawn(tmp_path: Path):
    (tmp_path / "log.csv").write_text(LOG.replace("seconds", "precision").replace(",3.5,", ",bf16,"))
    log = read_log(tmp_path / "log.csv")
    assert list(log.columns) == [name for name in ROWS[0] if name != "seconds"]
    (tmp_path / "log.csv").write_text(LOG.replace(",0.5,", ",half,"))
    with pytest.raises(UserError, match="column val_f1, line 3: found 'half', expected a number"):
        read_log(tmp_path / "log.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"column epoch is missing \(found nothing\)"),
        ("epoch,train_loss,val_loss,best\n0,one,1,1\n", "column train_loss, line 2: found 'one', expected a number"),
        ("epoch,train_loss,best\n0,1,1\n", "column val_loss is missing"),
        (None, "cannot be read"),
    ],
)
def test_a_damaged_log_is_refused(tmp_path: Path, text: str | None, message: str):
    if text is not None:
        (tmp_path / "log.csv").write_text(text)
    with pytest.raises(UserError, match=rf"log\.csv: {message}.*; train the fold again or remove the file\.$"):
        read_log(tmp_path / "log.csv")
