"""The released vectors on the device, in fp32: outputs, loss and gradients against those of the authors' code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.gpu_check.check import Check
from benchmarks.gpu_check.measuring import tf32
from benchmarks.gpu_check.report import PartReport
from benchmarks.gpu_check.variants import case_of
from models.bag_model import BagModel
from models.losses import hazards, log_survival
from tests.reference.released import released_model

DATA = Path(__file__).parents[2] / "tests" / "data"
# Those of tests/models/test_mico.py.
OUTPUT_TOLERANCE, GRADIENT_TOLERANCE = 1e-5, 1e-4
# A softmax ignores it: its gradient is rounding on both sides.
IGNORED = "attention_network.attention_scorer.bias"


def run(check: Check, report: PartReport) -> None:
    """Compare every file of released vectors."""
    table = report.table(
        "Absolute errors, and the largest relative error of a parameter's gradients",
        *("file", "outputs", "loss", "gradients", "gradients, relative", "within the tests' tolerance"),
    )
    for path in sorted(DATA.glob("released_*.npz")):
        with report.attempt(path.name), tf32(False, False):
            errors = errors_of(path, check.device)
            within = max(errors["outputs"], errors["loss"]) < OUTPUT_TOLERANCE
            within = within and errors["relative"] < GRADIENT_TOLERANCE
            table.add(path.stem, *errors.values(), "yes" if within else "no")
            if not within:
                raise ValueError(f"got errors {errors}, expected {OUTPUT_TOLERANCE}; gradients {GRADIENT_TOLERANCE}")
    report.note(
        f"Tolerance: {OUTPUT_TOLERANCE:g} for outputs (logits, or hazards and survival) and loss, "
        f"{GRADIENT_TOLERANCE:g} for gradients relative to the largest of their parameter. TF32 is off."
    )


def errors_of(path: Path, device: torch.device) -> dict[str, float]:
    """The largest errors of outputs, loss and gradients for one file."""
    arrays = np.load(path)
    config = json.loads(str(arrays["config"]))
    model = released_model(arrays).to(device)
    slides = [torch.from_numpy(arrays[name]) for name in sorted(arrays.files) if name.startswith("slide/")]
    batch = case_of(slides).to(device)
    logits = model(batch.features, batch.slide_index, batch.case_index).logits
    outputs, loss = outputs_and_loss(logits, survival=config["survival"])
    loss.backward()
    found = max(_error(value, arrays[name]) for name, value in outputs.items())
    absolute, relative = gradient_errors(model, arrays)
    return {"outputs": found, "loss": _error(loss, arrays["loss"]), "gradients": absolute, "relative": relative}


def outputs_and_loss(logits: Tensor, *, survival: bool) -> tuple[dict[str, Tensor], Tensor]:
    """What a file has the outputs and the loss of."""
    if not survival:
        return {"logits": logits}, F.cross_entropy(logits, torch.tensor([1], device=logits.device))
    hazard, surviving = hazards(logits), log_survival(logits).exp()
    loss = -(torch.log(surviving[0, 1] + 1e-7) + torch.log(hazard[0, 2] + 1e-7))
    return {"hazards": hazard, "S": surviving}, loss


def gradient_errors(model: BagModel, arrays: Any) -> tuple[float, float]:
    """The largest absolute error of all gradients, and the largest relative one."""
    absolute, relative = 0.0, 0.0
    gradients = {name: p.grad for name, p in model.named_parameters()}
    for name in (name.removeprefix("grad/") for name in arrays.files if name.startswith("grad/")):
        gradient, expected = gradients[name], arrays[f"grad/{name}"]
        if gradient is None:
            raise ValueError(f"got no gradient of {name}, expected one")
        error = _error(gradient, expected)
        absolute = max(absolute, error)
        if name != IGNORED:
            relative = max(relative, error / max(float(np.abs(expected).max()), 1e-30))
    return absolute, relative


def _error(got: Tensor, expected: np.ndarray) -> float:
    values = got.detach().double().cpu().numpy()
    if values.size != expected.size:
        raise ValueError(f"got shape {values.shape}, expected {expected.shape}")
    return float(np.abs(values.reshape(expected.shape) - expected).max())
