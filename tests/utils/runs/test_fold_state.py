"""How far a fold has come, from the files in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.reference.early_stopping import released_stop
from utils.files.tensors import save_tensors
from utils.runs.epoch_log import write_log
from utils.runs.fold_state import is_finished, remove_predictions, training_state
from utils.runs.tasks import TASKS


def settings(**changes: Any) -> dict[str, Any]:
    return {"task": "cls", "stage": "all", "epochs": 5, "patience": 2, "monitor": "val_f1", **changes}


def log(place: Path, scores: list[float | None], column: str = "val_f1") -> None:
    rows = [{"epoch": k, "train_loss": 1.0, "val_loss": 1.0, "best": 0} | {column: s} for k, s in enumerate(scores, 1)]
    write_log(place / "log.csv", rows)


def put(place: Path, *names: str) -> None:
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".pt"):
            save_tensors(place / name, {})
        else:
            (place / name).write_text("{}\n" if name.endswith(".json") else "case_id\n1\n")


@pytest.mark.parametrize(
    ("scores", "early", "at_end"),
    [
        ([0.1], False, False),
        ([0.3, 0.2], False, False),
        ([0.3, 0.3, 0.3], True, True),  # a tie is no improvement
        ([0.1, 0.2, 0.3, 0.4, 0.5], False, True),
        ([0.1, 0.2, 0.3, 0.3, 0.2], True, True),  # both: a larger --epochs changes nothing
        ([0.1, 0.2, 0.3, 0.4, 0.3], False, True),
    ],
)
@pytest.mark.parametrize("monitor", ["val_f1", "val_loss"])
def test_the_state_of_a_training(tmp_path: Path, scores: list[float], early: bool, at_end: bool, monitor: str):
    log(tmp_path, scores if monitor == "val_f1" else [-score for score in scores], monitor)
    state = training_state(tmp_path, settings(monitor=monitor))
    assert (state.epoch, state.stopped_early, state.at_end) == (len(scores), early, at_end)
    stopped, _ = released_stop([*scores, 1.0], 2, lowest=False)
    assert state.stopped_early == (stopped <= len(scores))


@pytest.mark.parametrize("content", [None, "nonsense", "epoch,train_loss,val_loss,best\n1,1,1,1\n"])
def test_without_a_log_the_files_decide(tmp_path: Path, content: str | None):
    if content is not None:
        (tmp_path / "log.csv").write_text(content)
    state = training_state(tmp_path, settings())
    assert (state.epoch, state.stopped_early, state.at_end) == (None, False, True)


def test_a_score_that_is_missing_in_the_log(tmp_path: Path):
    log(tmp_path, [0.1, None, 0.3])
    assert training_state(tmp_path, settings()).epoch is None


@pytest.mark.parametrize("task", ["cls", "surv"])
def test_a_fold_is_finished_with_the_last_of_its_files(tmp_path: Path, task: str):
    *others, last = TASKS[task].fold_files
    put(tmp_path, *others)
    assert not is_finished(tmp_path, settings(task=task))
    put(tmp_path, last)
    assert is_finished(tmp_path, settings(task=task))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"0.5", b"case_id\n1", b"PK\x03\x04", b"[" * 100_000])
@pytest.mark.parametrize("task", ["cls", "surv"])
def test_a_file_that_was_cut_off_makes_no_fold_finished(tmp_path: Path, task: str, content: bytes):
    for name in TASKS[task].fold_files:
        put(tmp_path, *TASKS[task].fold_files)
        (tmp_path / name).write_bytes(content)
        assert not is_finished(tmp_path, settings(task=task))
    put(tmp_path, *TASKS[task].fold_files, "checkpoint.pt")
    assert is_finished(tmp_path, settings(task=task, stage="train"))
    (tmp_path / "checkpoint.pt").write_bytes((tmp_path / "checkpoint.pt").read_bytes()[:-30])
    assert not is_finished(tmp_path, settings(task=task, stage="train"))


def test_a_training_is_finished_without_test_predictions(tmp_path: Path):
    put(tmp_path, "predictions_val.csv")
    log(tmp_path, [0.1, 0.2, 0.3, 0.4, 0.5])
    assert not is_finished(tmp_path, settings(stage="train"))
    put(tmp_path, "checkpoint.pt", *(name for name in TASKS["cls"].fold_files if "test" not in name))
    (tmp_path / "metrics.json").unlink()
    assert is_finished(tmp_path, settings(stage="train"))
    assert not is_finished(tmp_path, settings())
    assert not is_finished(tmp_path, settings(stage="train", epochs=6))


def test_more_epochs_make_a_fold_unfinished_unless_it_stopped_early(tmp_path: Path):
    put(tmp_path, *TASKS["cls"].fold_files)
    log(tmp_path, [0.1, 0.2, 0.3, 0.4, 0.5])
    assert is_finished(tmp_path, settings())
    assert not is_finished(tmp_path, settings(epochs=6))
    assert is_finished(tmp_path, settings(epochs=6, stage="test"))
    log(tmp_path, [0.1, 0.5, 0.4, 0.3])
    assert is_finished(tmp_path, settings(epochs=6))


def test_what_was_made_with_a_checkpoint_is_removed(tmp_path: Path):
    put(tmp_path, "checkpoint.pt", "last.pt", "log.csv", "outcomes_train.csv")
    assert not remove_predictions(tmp_path)
    put(tmp_path, "predictions_val.csv", "predictions_test.csv", "metrics.json", "explain/s/map.png")
    assert remove_predictions(tmp_path)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["checkpoint.pt", "last.pt", "log.csv", "outcomes_train.csv"]
