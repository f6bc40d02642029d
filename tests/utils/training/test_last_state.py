"""`last.pt`: what it keeps, and values in it that no training leaves behind."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from utils.errors import UserError
from utils.files.tensors import load_tensors, save_tensors
from utils.machine.random_state import random_state
from utils.machine.seed import seed_everything
from utils.training.engine import Position, Runner
from utils.training.last_state import LastState, Within
from utils.training.schedule import Progress

CPU = torch.device("cpu")
ROW = {"epoch": 1, "train_loss": 0.7, "val_loss": 0.6, "lr": 0.1, "seconds": 1.0, "best": 1}
PROGRESS = Progress(
    epoch=2,
    best_epoch=2,
    best_score=0.5,
    best_loss=0.4,
    improved=1,
    log=[dict(ROW), {**ROW, "epoch": 2, "best": 0}],  # type: ignore[list-item]
)


def training_in(folder: Path, *, width: int = 2) -> LastState:
    model = nn.Linear(width, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    return LastState(folder, Runner(model, CPU, "fp32"), optimizer, torch.amp.GradScaler("cpu", enabled=False))


def step(training: LastState) -> None:
    training.runner.model(torch.ones(1, 2)).sum().backward()
    training.optimizer.step()
    training.optimizer.zero_grad()


@pytest.fixture
def saved(tmp_path: Path) -> LastState:
    """A training that was stopped after batch 3 of its third epoch."""
    training = training_in(tmp_path)
    step(training)
    seed_everything(1)
    training.save(PROGRESS, Within(Position(3, 1.25), 7.5))
    (tmp_path / "checkpoint.pt").touch()
    return training


def test_what_is_saved_is_restored(saved: LastState):
    other = training_in(saved.fold_dir)
    progress, within = other.restore(5)
    assert progress == PROGRESS
    assert (within.position, within.seconds) == (Position(3, 1.25), 7.5)
    step(saved)
    step(other)
    assert torch.equal(saved.runner.model.weight, other.runner.model.weight)


def test_the_random_generators_go_on_as_they_would_have(saved: LastState):
    expected = random.random(), np.random.random(), torch.rand(1)  # noqa: NPY002
    seed_everything(2)
    training_in(saved.fold_dir).restore(5)
    assert (random.random(), np.random.random(), torch.rand(1)) == expected  # noqa: NPY002


def test_the_state_after_an_epoch_has_nothing_within(tmp_path: Path):
    training_in(tmp_path).save(PROGRESS)
    (tmp_path / "checkpoint.pt").touch()
    assert "within" not in load_tensors(tmp_path / "last.pt")
    assert training_in(tmp_path).restore(5) == (PROGRESS, Within())


@pytest.mark.parametrize(
    ("part", "changes", "told"),
    [
        ("progress", {"epoch": -1}, "epoch is -1, expected a whole number from 0 on"),
        ("progress", {"epoch": 7}, "its log is not one of 7 epochs"),
        ("progress", {"epoch": 2.0}, "epoch is 2.0, expected a whole number"),
        ("progress", {"epoch": True}, "epoch is True, expected a whole number"),
        ("progress", {"epoch": "2"}, "epoch is '2', expected a whole number"),
        ("progress", {"epoch": 10**12}, "its log is not one of 1000000000000 epochs"),
        ("progress", {"best_epoch": 3}, "best_epoch is 3, expected a whole number from 1 to 2"),
        ("progress", {"best_epoch": 0}, "best_epoch is 0, expected a whole number from 1 to 2"),
        ("progress", {"improved": None}, "improved is None, expected a whole number from 1 to 2"),
        ("progress", {"best_score": "0.5"}, "best_score is '0.5', expected a number"),
        ("progress", {"best_score": float("nan")}, "best_score is nan, expected a number"),
        ("progress", {"best_score": None}, "best_score is None, expected a number"),
        ("progress", {"best_loss": float("nan")}, "best_loss is nan, expected a number"),
        ("progress", {"best_loss": [1]}, "best_loss is [1], expected a number"),
        ("progress", {"log": "text"}, "its log is not one of 2 epochs"),
        ("progress", {"log": [ROW, ROW]}, "its log is not one of 2 epochs"),
        ("progress", {"log": [ROW, 2]}, "'int' object is not subscriptable"),
        ("within", {"batches": 0}, "batches is 0, expected a whole number from 1 to 5"),
        ("within", {"batches": 6}, "batches is 6, expected a whole number from 1 to 5"),
        ("within", {"loss_sum": float("inf")}, "loss_sum is inf, expected a number"),
        ("within", {"seconds": "long"}, "seconds is 'long', expected a number"),
        ("within", {"random": {"python": 1}}, "it has no 'numpy'"),
        ("within", {"random": 3}, "'int' object is not subscriptable"),
        ("model", {"weight": torch.ones(3, 3)}, "Error(s) in loading state_dict for Linear:"),
        ("optimizer", {"param_groups": []}, "loaded state dict has a different number of parameter groups"),
    ],
    ids=str,
)
def test_values_that_no_training_leaves_are_a_sentence(saved: LastState, part: str, changes: Any, told: str):
    state = load_tensors(saved.path)
    state[part] = {**state[part], **changes}
    save_tensors(saved.path, state)
    with pytest.raises(UserError) as refused:
        training_in(saved.fold_dir).restore(5)
    assert str(refused.value).startswith(f"{saved.path} does not hold the state of this training ({told}")
    assert str(refused.value).endswith("): remove it to train this fold from the beginning")


@pytest.mark.parametrize("part", ["progress", "model", "optimizer"])  # a scaler that is off reads nothing
@pytest.mark.parametrize("value", [None, "text", 3, []])
def test_parts_that_are_something_else_are_a_sentence(saved: LastState, part: str, value: Any):
    state = load_tensors(saved.path)
    state[part] = value
    save_tensors(saved.path, state)
    with pytest.raises(UserError, match="does not hold the state of this training"):
        training_in(saved.fold_dir).restore(5)


@pytest.mark.parametrize("part", ["progress", "model", "optimizer", "scaler"])
def test_a_part_that_is_missing_is_named(saved: LastState, part: str):
    state = load_tensors(saved.path)
    del state[part]
    save_tensors(saved.path, state)
    with pytest.raises(UserError, match=f"does not hold the state of this training .it has no '{part}'.: remove it"):
        training_in(saved.fold_dir).restore(5)


def test_what_a_file_holds_beside_is_ignored(saved: LastState):
    state = load_tensors(saved.path)
    state["progress"]["of a later version"] = state["of a later version"] = 1
    save_tensors(saved.path, state)
    assert training_in(saved.fold_dir).restore(5)[0] == PROGRESS


def test_nothing_is_the_beginning(tmp_path: Path):
    assert training_in(tmp_path).restore(5) == (Progress(), Within())


def test_a_state_within_the_first_epoch_counts_on_no_checkpoint(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    training = training_in(tmp_path)
    training.save(Progress(), Within(Position(1, 0.5), 1.0))
    progress, within = training_in(tmp_path).restore(5)
    assert (progress, within.position) == (Progress(), Position(1, 0.5))
    assert not caplog.messages


@pytest.mark.parametrize("lost", ["checkpoint.pt", "last.pt"])
def test_without_what_it_counts_on_it_begins_again(saved: LastState, caplog: pytest.LogCaptureFixture, lost: str):
    (saved.fold_dir / "log.csv").touch()
    (saved.fold_dir / lost).unlink()
    assert training_in(saved.fold_dir).restore(5) == (Progress(), Within())
    assert f"has lost its {lost}, so it is trained from the beginning" in caplog.text


def test_a_state_of_the_generators_is_plain_values(tmp_path: Path):
    save_tensors(tmp_path / "state.pt", random_state(CPU))
    assert load_tensors(tmp_path / "state.pt").keys() == {"python", "numpy", "torch", "cuda"}
