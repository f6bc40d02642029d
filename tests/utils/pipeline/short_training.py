"""A short training of MiCo with optimizer steps of two batches, for tests that stop it in the middle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from models import options_of
from utils.pipeline.inputs import FoldInputs
from utils.pipeline.models import architecture
from utils.pipeline.train_fold import Computation, TrainingProtocol, run_fold

FILES = ("checkpoint.pt", "predictions_train.csv", "predictions_val.csv")
CPU = Computation(torch.device("cpu"), "fp32", num_workers=0)
STEPWISE = TrainingProtocol(
    task="surv",
    seed=1,
    epochs=3,
    patience=5,
    monitor="val_loss",
    tie_rule="val_loss",
    lr=1e-3,
    weight_decay=0.0,
    optimizer="adamw",
    batch_size=1,
    grad_accum=2,
    max_patches=None,
    weighted_sampling=False,
    alpha_surv=0.0,
)


def design_of(inputs: FoldInputs) -> dict[str, Any]:
    options = {name: option.default for name, option in options_of("mico").items()}
    options |= {"embed_dim": 16, "dropout": 0.3}
    return architecture("mico", options, n_anchors=8, dim_in=inputs.dim_in, n_outputs=inputs.fold.n_outputs)


def run(inputs: FoldInputs, place: Path, protocol: TrainingProtocol, computation: Computation = CPU) -> None:
    run_fold(inputs, design_of(inputs), protocol, computation, place, stage="train")
