"""A signal in the middle of a training: it ends at the next optimizer step, and goes on there to the same bytes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from tests.utils.pipeline.short_training import CPU, FILES, STEPWISE, run
from utils.files.tensors import load_tensors, save_tensors
from utils.machine import interruption
from utils.machine.interruption import Terminated, signals_end_the_work
from utils.pipeline.inputs import FoldInputs
from utils.pipeline.train_fold import Computation, TrainingProtocol
from utils.runs import epoch_log
from utils.training import engine, training

When = tuple[int, int]  # epoch and batch, from 1 on


def send(*numbers: int) -> None:
    for number in numbers:
        os.kill(os.getpid(), number)


def acting(batches: Iterable[Any], when: int, act: Callable[[], None]) -> Iterator[Any]:
    """The batches; `act` is called before the one of number `when` is given out."""
    for number, batch in enumerate(batches, start=1):
        if number == when:
            act()
        yield batch


def run_until(
    place: Path, inputs: FoldInputs, protocol: TrainingProtocol, computation: Computation = CPU, **patches: Any
) -> Terminated:
    """Run with other functions in the place of those of the training, one of which sends a signal."""
    with pytest.MonkeyPatch.context() as patch:
        for name, function in patches.items():
            patch.setattr(training, name, function)
        with pytest.raises(Terminated) as ended, signals_end_the_work():
            run(inputs, place, protocol, computation)
    return ended.value


def sending(when: When, *numbers: int) -> Callable[..., float]:
    """`train_epoch` during which signals come while a batch of an epoch is waited for."""

    def train_epoch(runner: Any, batches: Iterable[Any], *rest: Any, **more: Any) -> float:
        number = when[1] if more["epoch"] == when[0] else 0
        return engine.train_epoch(runner, acting(batches, number, lambda: send(*numbers)), *rest, **more)

    return train_epoch


def sending_in_log(epoch: int) -> Callable[[Path, list[Any]], None]:
    """`write_log` during which a SIGTERM comes after an epoch."""

    def write_log(path: Path, rows: list[Any]) -> None:
        if len(rows) == epoch:
            send(signal.SIGTERM)
        epoch_log.write_log(path, rows)

    return write_log


def assert_same(place: Path, other: Path) -> None:
    for name in FILES:
        assert (place / name).read_bytes() == (other / name).read_bytes(), name
    logs = [pd.read_csv(folder / "log.csv", dtype=str).drop(columns="seconds") for folder in (place, other)]
    assert logs[0].equals(logs[1])
    ends = [load_tensors(folder / "last.pt") for folder in (place, other)]
    assert ends[0]["optimizer"]["param_groups"] == ends[1]["optimizer"]["param_groups"]
    assert all(torch.equal(ends[0]["model"][name], value) for name, value in ends[1]["model"].items())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_stops_after_the_step_and_the_rest_of_the_epoch_follows(mico_fold, unstopped, tmp_path, capfd, number):
    stopped = run_until(tmp_path / "cut", mico_fold, STEPWISE, train_epoch=sending((2, 3), number))
    assert stopped.number == number
    assert "stopping after this step" in capfd.readouterr().err
    state = load_tensors(tmp_path / "cut" / "last.pt")
    assert (state["progress"]["epoch"], state["within"]["batches"]) == (1, 4)  # the window of batches 3 and 4
    assert len(pd.read_csv(tmp_path / "cut" / "log.csv")) == 1
    run(mico_fold, tmp_path / "cut", STEPWISE)
    assert_same(unstopped(), tmp_path / "cut")


@pytest.mark.slow
@pytest.mark.parametrize("when", [(1, 1), (3, 2)], ids=str)
@pytest.mark.parametrize(
    ("changes", "computation"),
    [
        ({"optimizer": "ranger"}, CPU),
        ({"optimizer": "radam"}, CPU),
        ({"weighted_sampling": True, "max_patches": 9}, CPU),
        ({"batch_size": 3, "grad_accum": 1}, CPU),
        ({"grad_accum": 5}, CPU),
        ({"max_patches": 9, "grad_accum": 3}, replace(CPU, num_workers=2)),
        ({"optimizer": "ranger"}, replace(CPU, precision="bf16")),
        ({}, replace(CPU, precision="fp16")),
    ],
    ids=["ranger", "radam", "weighted", "batches of 3", "windows of 5", "reading ahead", "bf16", "fp16"],
)
def test_whatever_the_protocol_the_end_is_the_same(mico_fold, unstopped, tmp_path, changes, computation, when):
    protocol = replace(STEPWISE, **changes)
    run_until(tmp_path / "cut", mico_fold, protocol, computation, train_epoch=sending(when, signal.SIGTERM))
    assert not (tmp_path / "cut" / "predictions_val.csv").exists()
    run(mico_fold, tmp_path / "cut", protocol, computation)
    assert_same(unstopped(protocol, computation), tmp_path / "cut")


def test_stopped_again_and_again(mico_fold, unstopped, tmp_path):
    for when in ((1, 2), (1, 2), (2, 1), (2, 1), (3, 4)):  # counted from where it goes on
        run_until(tmp_path / "cut", mico_fold, STEPWISE, train_epoch=sending(when, signal.SIGTERM))
    run(mico_fold, tmp_path / "cut", STEPWISE)
    assert_same(unstopped(), tmp_path / "cut")


def test_a_signal_while_the_epoch_is_validated_repeats_the_validation_only(mico_fold, unstopped, tmp_path, monkeypatch):
    def predict(runner: Any, batches: Any, **more: Any) -> Any:
        when = 2 if "epoch 2 " in more["label"] else 0
        return engine.predict(runner, acting(batches, when, lambda: send(signal.SIGTERM)), **more)

    def train_epoch(runner: Any, batches: Any, *rest: Any, **more: Any) -> float:
        return engine.train_epoch(runner, acting(batches, 1, lambda: trained.append(more["epoch"])), *rest, **more)

    run_until(tmp_path / "cut", mico_fold, STEPWISE, predict=predict)
    trained: list[int] = []
    monkeypatch.setattr(training, "train_epoch", train_epoch)
    run(mico_fold, tmp_path / "cut", STEPWISE)
    assert trained == [3]
    assert_same(unstopped(), tmp_path / "cut")


def test_a_signal_while_the_epoch_is_written_lets_it_be_written(mico_fold, unstopped, tmp_path):
    run_until(tmp_path / "cut", mico_fold, STEPWISE, write_log=sending_in_log(2))
    state = load_tensors(tmp_path / "cut" / "last.pt")
    assert state["progress"]["epoch"] == 2
    assert "within" not in state
    run(mico_fold, tmp_path / "cut", STEPWISE)
    assert_same(unstopped(), tmp_path / "cut")


def test_a_signal_in_the_last_epoch_ends_the_process_before_anything_is_predicted(mico_fold, tmp_path):
    run_until(tmp_path, mico_fold, STEPWISE, write_log=sending_in_log(STEPWISE.epochs))
    assert not (tmp_path / "predictions_val.csv").exists()
    run(mico_fold, tmp_path, STEPWISE)
    assert (tmp_path / "predictions_val.csv").exists()


def test_the_seconds_before_the_stop_count(mico_fold, tmp_path):
    protocol = replace(STEPWISE, epochs=1)
    run_until(tmp_path, mico_fold, protocol, train_epoch=sending((1, 3), signal.SIGTERM))
    state = load_tensors(tmp_path / "last.pt")
    assert state["within"]["seconds"] > 0
    state["within"]["seconds"] = 1000.0
    save_tensors(tmp_path / "last.pt", state)
    run(mico_fold, tmp_path, protocol)
    assert pd.read_csv(tmp_path / "log.csv")["seconds"].item() > 1000


def test_a_second_signal_ends_at_once_and_the_epoch_before_stays(mico_fold, unstopped, tmp_path, monkeypatch):
    monkeypatch.setattr(interruption, "ONE_REQUEST", 0.0)
    twice = sending((2, 3), signal.SIGINT, signal.SIGINT)
    run_until(tmp_path / "cut", mico_fold, STEPWISE, train_epoch=twice)
    assert "within" not in load_tensors(tmp_path / "cut" / "last.pt")
    run(mico_fold, tmp_path / "cut", STEPWISE)
    assert_same(unstopped(), tmp_path / "cut")
