"""A training whose numbers stop being numbers: one sentence, and the last good epoch stays to go on from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from models.mico import MiCo
from tests.utils.pipeline.short_training import FILES, STEPWISE, run
from utils.errors import UserError
from utils.files.tensors import load_tensors
from utils.training import training


def spoiled(patch: pytest.MonkeyPatch, *, training_mode: bool, from_call: int, value: float = float("nan")) -> None:
    """From a call of the model in training, or in evaluation, on, its logits are no numbers."""
    real, calls = MiCo.forward, []

    def forward(self: MiCo, *batch: Any) -> Any:
        out = real(self, *batch)
        if self.training == training_mode:
            calls.append(1)
            if len(calls) >= from_call:
                return out._replace(logits=out.logits * value)
        return out

    patch.setattr(MiCo, "forward", forward)


def refused(place: Path, fold: Any) -> str:
    with pytest.raises(UserError) as error:
        run(fold, place, STEPWISE)
    return str(error.value)


def same(place: Path, other: Path) -> bool:
    return all((place / name).read_bytes() == (other / name).read_bytes() for name in FILES)


def test_validation_logits_that_are_no_numbers(mico_fold, unstopped, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        spoiled(patch, training_mode=False, from_call=len(mico_fold.fold.val) + 2)
        said = refused(tmp_path, mico_fold)
    slide_ids = ", ".join(mico_fold.fold.val[1].slide_ids)
    assert said.startswith(
        f"fold 1 epoch 2 validation: the model gives no finite prediction for slides {slide_ids}: look at their "
    )
    assert load_tensors(tmp_path / "last.pt")["progress"]["epoch"] == 1
    run(mico_fold, tmp_path, STEPWISE)  # the second epoch is repeated
    assert same(tmp_path, unstopped())


def test_a_loss_that_is_no_number(mico_fold, unstopped, tmp_path):
    n_batches = len(mico_fold.fold.train)
    with pytest.MonkeyPatch.context() as patch:
        spoiled(patch, training_mode=True, from_call=n_batches + 3)
        said = refused(tmp_path, mico_fold)
    assert f"the loss is nan in epoch 2, batch 3 of {n_batches}, on slides" in said
    run(mico_fold, tmp_path, STEPWISE)
    assert same(tmp_path, unstopped())


def test_weights_that_are_no_numbers_are_neither_validated_nor_kept(mico_fold, unstopped, tmp_path):
    real = training.train_epoch

    def train_epoch(runner: Any, *rest: Any, **more: Any) -> float:
        loss = real(runner, *rest, **more)
        if more["epoch"] == 2:
            with torch.no_grad():
                runner.model.classifier.bias[0] = float("inf")
        return loss

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "train_epoch", train_epoch)
        assert "the weights classifier.bias are not finite after epoch 2: lower --lr" in refused(tmp_path, mico_fold)
    run(mico_fold, tmp_path, STEPWISE)
    assert same(tmp_path, unstopped())


@pytest.mark.parametrize(("name", "value"), [("val_loss", None), ("val_loss", float("inf")), ("val_c_index", -1e999)])
def test_scores_that_are_no_numbers(mico_fold, tmp_path, name, value):
    scores = {"val_loss": 0.5, "val_c_index": 0.5, name: value}

    def train(*parts: Any, **more: Any) -> Any:
        changed = list(parts)
        changed[4] = lambda logits: scores
        return training.train(*changed, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("utils.pipeline.train_fold.train", train)
        assert f"{name} is {value} after fold 1 epoch 1: look at the validation features" in refused(
            tmp_path, mico_fold
        )
    assert not (tmp_path / "checkpoint.pt").exists()


@pytest.mark.parametrize("lr", [1e10, 1e30, 1e38])
def test_a_learning_rate_that_destroys_the_weights_is_a_sentence(mico_fold, tmp_path, lr):
    with pytest.raises(UserError, match=r"not finite|is nan|is inf|no finite prediction"):
        run(mico_fold, tmp_path, replace(STEPWISE, lr=lr))
    assert not any(path.suffix == ".csv" for path in tmp_path.iterdir())
