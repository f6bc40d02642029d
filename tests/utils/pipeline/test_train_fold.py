"""One fold of a run: the files it leaves, predictions as rows, and stages."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import torch

from datasets.bags import outcomes_of
from models import options_of
from models.losses import hazards, risk
from tests.utils.pipeline.conftest import inputs_of
from tests.utils.pipeline.short_training import CPU, STEPWISE
from utils.pipeline.inputs import AnchorSource, FoldInputs
from utils.pipeline.models import architecture
from utils.pipeline.prediction_table import prediction_table
from utils.pipeline.train_fold import run_fold, skip_fold

PROTOCOL = replace(STEPWISE, epochs=2, batch_size=4, grad_accum=1)


def design_of(inputs: FoldInputs) -> dict[str, Any]:
    options = {name: option.default for name, option in options_of("abmil").items()} | {"embed_dim": 8}
    return architecture("abmil", options, n_anchors=None, dim_in=inputs.dim_in, n_outputs=inputs.fold.n_outputs)


@pytest.fixture(scope="module")
def inputs(surv_cohort) -> FoldInputs:
    return inputs_of(surv_cohort, "surv", AnchorSource("random", None, "l2"), 1)[0]


def test_the_test_cases_are_predicted_only_in_their_stage(inputs, tmp_path):
    run_fold(inputs, design_of(inputs), PROTOCOL, CPU, tmp_path, stage="train")
    predicted = {"predictions_train.csv", "predictions_val.csv"}
    trained = {"checkpoint.pt", "last.pt", "log.csv", "outcomes_train.csv", *predicted}
    assert {path.name for path in tmp_path.iterdir()} == trained
    run_fold(inputs, design_of(inputs), PROTOCOL, CPU, tmp_path, stage="test")
    assert {path.name for path in tmp_path.iterdir()} == trained | {"predictions_test.csv", "metrics.json"}
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics.keys() == {"format", "fold", "best_epoch", "val", "test"}
    assert metrics["fold"] == 1
    checkpoint = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert (checkpoint["architecture"], checkpoint["feature_norm"]) == (design_of(inputs), {"kind": "l2"})


def test_a_finished_fold_may_still_be_shown_in_tensorboard(inputs, tmp_path):
    run_fold(inputs, design_of(inputs), PROTOCOL, CPU, tmp_path, stage="all")
    skip_fold(inputs, PROTOCOL, CPU, tmp_path, stage="all")
    assert not (tmp_path / "tensorboard").exists()
    skip_fold(inputs, PROTOCOL, replace(CPU, tensorboard=True), tmp_path, stage="all")
    assert any((tmp_path / "tensorboard").iterdir())


def test_predictions_are_cases_with_what_the_logits_say(inputs):
    cases = inputs.fold.val
    logits = torch.linspace(-2, 2, 2 * len(cases)).reshape(-1, 2)
    table = prediction_table("surv", cases, logits)
    assert table["case_id"].tolist() == [case.case_id for case in cases]
    assert table["risk"].tolist() == risk(logits.double()).tolist()
    assert table[["hazard_0", "hazard_1"]].to_numpy().tolist() == hazards(logits.double()).tolist()
    assert table["event"].tolist() == (1 - outcomes_of(cases)["censored"]).tolist()


def test_class_probabilities_sum_to_one(cls_cohort):
    (fold,) = inputs_of(cls_cohort, "cls", AnchorSource("random", None, None), 0)
    table = prediction_table("cls", fold.fold.test, torch.zeros(len(fold.fold.test), 2))
    assert table["prob_0"].tolist() == [0.5] * len(table)
    assert table["label"].tolist() == [case.label for case in fold.fold.test]


def test_a_finished_fold_of_an_earlier_version_gets_what_it_lacks(inputs, tmp_path):
    run_fold(inputs, design_of(inputs), PROTOCOL, CPU, tmp_path, stage="all")
    written = (tmp_path / "predictions_train.csv").read_bytes()
    (tmp_path / "predictions_train.csv").unlink()
    others = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    skip_fold(inputs, PROTOCOL, CPU, tmp_path, stage="all")
    assert (tmp_path / "predictions_train.csv").read_bytes() == written
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in others} == others


EARLY = replace(PROTOCOL, lr=1e-30, patience=1)  # nothing is learned: the first epoch stays the best one


@pytest.mark.parametrize("stage", ["all", "train"])
def test_a_fold_that_stopped_early_keeps_no_state_to_go_on_with(inputs, tmp_path, stage):
    run_fold(inputs, design_of(inputs), replace(EARLY, epochs=9), CPU, tmp_path, stage=stage)
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 1 + 2
    assert not (tmp_path / "last.pt").exists()


def test_a_fold_that_ran_out_of_epochs_keeps_its_state(inputs, tmp_path):
    run_fold(inputs, design_of(inputs), replace(EARLY, patience=5), CPU, tmp_path, stage="all")
    skip_fold(inputs, replace(EARLY, patience=5), CPU, tmp_path, stage="all")
    assert (tmp_path / "last.pt").exists()


def test_a_finished_training_without_its_last_state_is_not_trained_again(inputs, tmp_path, caplog):
    """Trained alone, its state is gone; then its test cases are predicted, by the same model."""
    run_fold(inputs, design_of(inputs), EARLY, CPU, tmp_path, stage="train")
    checkpoint = (tmp_path / "checkpoint.pt").read_bytes()
    caplog.clear()
    run_fold(inputs, design_of(inputs), EARLY, CPU, tmp_path, stage="all")
    assert (tmp_path / "checkpoint.pt").read_bytes() == checkpoint
    assert (tmp_path / "metrics.json").exists()
    assert "has lost" not in caplog.text
    assert "epoch 1" not in caplog.text


def test_the_state_of_a_finished_fold_goes_where_it_was_left_behind(inputs, tmp_path):
    """By an earlier version, or a process that was killed just before."""
    run_fold(inputs, design_of(inputs), EARLY, CPU, tmp_path, stage="all")
    (tmp_path / "last.pt").touch()
    skip_fold(inputs, EARLY, CPU, tmp_path, stage="test")
    assert (tmp_path / "last.pt").exists()  # the options of a test stage need not be those of the training
    skip_fold(inputs, EARLY, CPU, tmp_path, stage="all")
    assert not (tmp_path / "last.pt").exists()


def test_a_training_whose_checkpoint_is_lost_begins_again(inputs, tmp_path):
    run_fold(inputs, design_of(inputs), EARLY, CPU, tmp_path, stage="train")
    checkpoint = (tmp_path / "checkpoint.pt").read_bytes()
    (tmp_path / "checkpoint.pt").unlink()
    run_fold(inputs, design_of(inputs), EARLY, CPU, tmp_path, stage="train")
    assert (tmp_path / "checkpoint.pt").read_bytes() == checkpoint
