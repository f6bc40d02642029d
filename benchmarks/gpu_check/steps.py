"""Training steps and predictions as the project makes them, and a training step of MiCo's plain path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.gpu_check.sizes import Sizes
from benchmarks.gpu_check.variants import Variant
from benchmarks.steps import PlainRanger
from datasets.bags import Batch
from models.objective import training_objective
from models.output import BagOutput
from tests.reference.mico_plain import PlainMiCo
from utils.machine.device import AUTOCAST_DTYPES
from utils.pipeline.models import loss_of
from utils.training.engine import Runner, predict, train_epoch
from utils.training.optim import build_optimizer

Call = Callable[[], object]


def objective(out: BagOutput, target: dict[str, Tensor]) -> Tensor:
    """The objective of classification."""
    return training_objective(out, target, loss_of("cls", 0.0))


def engine_precision(precision: str) -> str:
    """What `--precision` is where TF32 is a switch beside it."""
    return "fp32" if precision == "tf32" else precision


def training_call(model: nn.Module, batch: Batch, precision: str, device: torch.device) -> Call:
    """A training step on a batch, with its way to the device, by `train_epoch` with an epoch of one batch."""
    runner = Runner(model.to(device), device, engine_precision(precision))
    optimizer = build_optimizer("ranger", model, lr=2e-4, weight_decay=1e-5)
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
    options: dict[str, Any] = {"grad_accum": 1, "epoch": 1, "label": "step"}
    return lambda: train_epoch(runner, [batch], [1], objective, optimizer, scaler, **options)


def prediction_call(model: nn.Module, batch: Batch, precision: str, device: torch.device) -> Call:
    """A prediction for a batch, with its way to the device and that of the logits back."""
    runner = Runner(model.to(device), device, engine_precision(precision))
    return lambda: predict(runner, [batch], n_batches=1, label="prediction")


CALLS = {"training step": training_call, "prediction": prediction_call}


def plain_model(form: str, sizes: Sizes, device: torch.device) -> PlainMiCo:
    """The plain path at the sizes of the check."""
    torch.manual_seed(0)
    shape: dict[str, Any] = {
        "dim_in": sizes.dim,
        "n_outputs": sizes.n_outputs,
        "n_anchors": sizes.n_anchors,
        "embed_dim": sizes.embed_dim,
    }
    return PlainMiCo(**shape, formulation=form).to(device)


def plain_step(model: PlainMiCo, precision: str, device: torch.device) -> Callable[[Batch], None]:
    """A training step of the plain path as a straightforward author would write it, for batches of one slide."""
    optimizer = PlainRanger(model.train())
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
    kind = AUTOCAST_DTYPES[engine_precision(precision)]

    def step(batch: Batch) -> None:
        with torch.autocast(device.type, kind, enabled=kind is not None):
            logits = model([[batch.features.float()]])
        scaler.scale(F.cross_entropy(logits.float(), batch.target["label"])).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()

    return step


def plain_call(variant: Variant, batch: Batch, precision: str, sizes: Sizes, device: torch.device) -> Call:
    """A training step of the plain path on a batch that is on the device."""
    step = plain_step(plain_model(variant.form, sizes, device), precision, device)
    return lambda: step(batch)
