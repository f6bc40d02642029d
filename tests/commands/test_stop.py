"""Signals to the commands: exit code, what is said, what is there afterwards, and that the same command goes on."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datasets.slides import first_look
from tests.commands.conftest import cls_arguments, files_in
from utils.pipeline import explain_fold, partial_logits, slide_anchors
from utils.training import engine, training

pytestmark = pytest.mark.slow

STATUS = [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]


def contents(place: Path) -> dict[str, bytes]:
    """All files but those that hold seconds or dates."""
    timed = ("run.json", "log.csv", "last.pt", "predict.json")
    return {name: (place / name).read_bytes() for name in files_in(place) if not name.endswith(timed)}


def signalling(function: Callable[..., Any], call: int, number: int) -> Callable[..., Any]:
    """The function, which receives a signal after one of its calls."""
    calls = []

    def called(*arguments: Any, **options: Any) -> Any:
        result = function(*arguments, **options)
        calls.append(1)
        if len(calls) == call:
            os.kill(os.getpid(), number)
        return result

    return called


@pytest.mark.parametrize(("number", "status"), STATUS)
def test_a_training_goes_on_in_the_middle_of_its_epoch(cls_cohort, run_main, tmp_path, monkeypatch, number, status):
    options = ["--dropout", "0.3", "--max_patches", "10"]
    run_main(*cls_arguments(cls_cohort, tmp_path / "whole", *options)).check()
    arguments = cls_arguments(cls_cohort, tmp_path / "cut", *options)
    n_calls: list[Any] = []

    def epoch(*parts: Any, **more: Any) -> float:
        n_calls.append(more["label"])
        if more["label"] == "fold 1 epoch 2" and len(n_calls) == 5:
            runner, batches, *rest = parts
            return engine.train_epoch(runner, after_first(batches), *rest, **more)
        return engine.train_epoch(*parts, **more)

    def after_first(batches: Any) -> Any:
        for place, batch in enumerate(batches):
            if place == 1:
                os.kill(os.getpid(), number)
            yield batch

    with monkeypatch.context() as patch:
        patch.setattr(training, "train_epoch", epoch)
        ended = run_main(*arguments)
    assert ended.status == status
    word = "interrupted" if number == signal.SIGINT else f"stopped by {signal.Signals(number).name}"
    assert ended.err.splitlines()[-1] == f"main.py: {word}; the same command with --resume goes on from what is saved"
    assert "fold 1 epoch 2: stopped after 2 of " in ended.out
    run_main(*arguments, "--resume").check()
    assert contents(tmp_path / "whole") == contents(tmp_path / "cut")


def test_before_the_training_nothing_is_written(cls_cohort, run_main, tmp_path, monkeypatch):
    arguments = cls_arguments(cls_cohort, tmp_path, "--verify", "full")
    with monkeypatch.context() as patch:
        patch.setattr(first_look, "read_slide", signalling(first_look.read_slide, 3, signal.SIGTERM))
        ended = run_main(*arguments)
    assert ended.status == 143
    assert not any(path.is_file() for path in tmp_path.rglob("*") if not path.name.startswith("."))
    run_main(*arguments, "--resume").check()


def test_a_prediction_keeps_what_it_has(cls_cohort, other_cls_cohort, run_main, tmp_path, monkeypatch):
    run_main(*cls_arguments(cls_cohort, tmp_path)).check()
    run_dir = tmp_path / "cls" / "toy" / "mico_released"
    predict = ["--stage", "predict", "--run_dir", run_dir, "--features_dir", other_cls_cohort.features_dir]
    run_main(*predict, "--cohort", "whole").check()
    with monkeypatch.context() as patch:
        add = partial_logits.PartialLogits.add
        patch.setattr(partial_logits.PartialLogits, "add", signalling(add, 4, signal.SIGTERM))
        ended = run_main(*predict, "--cohort", "cut")
    assert ended.status == 143
    assert ended.err.splitlines()[-1] == (
        "main.py: stopped by SIGTERM; the same command with --resume goes on where it stopped"
    )
    assert files_in(run_dir / "predict" / "cut") == ["partial.pt"]
    run_main(*predict, "--cohort", "cut", "--resume").check()
    assert contents(run_dir / "predict" / "whole") == contents(run_dir / "predict" / "cut")


def test_an_explanation_starts_again(cls_cohort, run_main, tmp_path, monkeypatch):
    arguments = cls_arguments(cls_cohort, tmp_path, "--folds", "0")
    run_main(*arguments).check()
    explain = [*arguments, "--stage", "explain", "--explain_cases", "1"]
    with monkeypatch.context() as patch:
        patch.setattr(explain_fold, "nearest_of", signalling(explain_fold.nearest_of, 2, signal.SIGTERM))
        ended = run_main(*explain)
    assert ended.status == 143
    assert ended.err.splitlines()[-1] == "main.py: stopped by SIGTERM; the same command starts it again"
    run_main(*explain).check()


@pytest.mark.parametrize(("number", "status"), STATUS)
def test_fitting_of_anchors_goes_on(cls_cohort, run_clustering, tmp_path, monkeypatch, number, status):
    def arguments(place: str) -> list[Any]:
        return [
            *("--dataset_name", "toy", "--n_clusters", "4", "--input_dir", cls_cohort.features_dir, "--workers", "1"),
            *("--output_dir", tmp_path / place),
        ]

    run_clustering(*arguments("whole")).check()
    with monkeypatch.context() as patch:
        patch.setattr(slide_anchors, "write_anchors", signalling(slide_anchors.write_anchors, 3, number))
        ended = run_clustering(*arguments("cut"))
    assert ended.status == status
    assert "the same command goes on" in ended.err
    run_clustering(*arguments("cut")).check()
    assert {name for name in files_in(tmp_path / "cut") if name.endswith(".pt")} == {
        name for name in files_in(tmp_path / "whole") if name.endswith(".pt")
    }
    for name in files_in(tmp_path / "whole"):
        if name.endswith(".pt"):
            assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
