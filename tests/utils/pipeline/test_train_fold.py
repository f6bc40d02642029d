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
from utils.pipeline.inputs import AnchorSource, FoldInputs
from utils.pipeline.models import architecture
from utils.pipeline.prediction_table import prediction_table
from utils.pipeline.train_fold import Computation, TrainingProtocol, run_fold, skip_fold

PROTOCOL = TrainingProtocol(
    task="surv",
    seed=1,
    epochs=2,
    patience=5,
    monitor="val_loss",
    tie_rule="val_loss",
    lr=1e-3,
    weight_decay=0.0,
    optimizer="adamw",
    batch_size=4,
    grad_accum=1,
    max_patches=None,
    weighted_sampling=False,
    alpha_surv=0.0,
)
CPU = Computation(torch.device("cpu"), "fp32", num_workers=0)


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
    assert metrics.keys() == {"fold", "best_epoch", "val", "test"}
    assert metrics["fold"] == 1
    checkpoint = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert (checkpoint["architecture"], checkpoint["feature_norm"]) == (design_of(inputs), {"kind": "l2"})


def test_a_finished_fold_may_still_be_shown_in_tensorboard(inputs, tmp_path):
    run_fold(inputs, design_of(inputs), PROTOCOL, CPU, tmp_path, stage="all")
    skip_fold(inputs, PROTOCOL, CPU, tmp_path)
    assert not (tmp_path / "tensorboard").exists()
    skip_fold(inputs, PROTOCOL, replace(CPU, tensorboard=True), tmp_path)
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
    skip_fold(inputs, PROTOCOL, CPU, tmp_path)
    assert (tmp_path / "predictions_train.csv").read_bytes() == written
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in others} == others
