"""Logits and gradients of every model: the device against the CPU in fp32, and TF32, bf16 and fp16 against fp32."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.clustering_data import Mixture
from benchmarks.gpu_check.check import Check
from benchmarks.gpu_check.measuring import free, tf32
from benchmarks.gpu_check.report import PartReport, Table
from benchmarks.gpu_check.steps import engine_precision, objective
from benchmarks.gpu_check.variants import MICO, Variant, case_of, installed
from datasets.bags import Batch
from models.bag_model import BagModel
from utils.training.engine import Runner

PRECISIONS = ("tf32", "bf16", "fp16")
FIRST_SCALE = 2.0**16  # as torch's GradScaler begins, which halves it while gradients overflow
# A softmax over the patches ignores it: its gradient is rounding.
IGNORED = "attention_scorer.bias"


@dataclass(frozen=True)
class Evaluated:
    """What a model computed, on the CPU in float64.

    Attributes:
        logits: (1, C).
        chosen: (N, L), the anchors that patches chose in each stage; None without anchors.
        gradients: of each parameter that has one.
        scale: that the loss was multiplied with in the backward pass.
    """

    logits: Tensor
    chosen: Tensor | None
    gradients: dict[str, Tensor]
    scale: float


def run(check: Check, report: PartReport) -> None:
    """Compare all models in all precisions."""
    n_patches = sum(check.sizes.compared)
    table = report.table(
        f"Relative errors, one case of two slides with {n_patches} patches, dropout 0",
        *("model", "form", "compared", "logits", "gradients", "worst parameter", "its error", "other anchor (%)"),
    )
    points = torch.from_numpy(Mixture(check.sizes.dim).points(n_patches, seed=1))
    batch = case_of(points.split(check.sizes.compared))
    for variant in installed(report):
        if report.time_for(str(variant)):
            with report.attempt(str(variant)):
                compare(check, variant, batch, table)
        free(check.device)
    report.note(
        "logits: largest difference relative to the largest logit. gradients: norm of the difference of all gradients "
        "relative to their norm. worst parameter: the one of the largest difference relative to its largest gradient, "
        "without the scorer's bias, which a softmax ignores. other anchor: patches that choose another one in some "
        "stage; a choice that rounding changes moves gradients by more than rounding, as do those of maxpool, dsmil "
        "and clam_sb, and a unit of mico's final projector that rounding moves across 0: one row goes through its ReLU."
    )
    report.note(
        "fp32 is without TF32, also in convolutions. Features are a mixture of Gaussians (benchmarks/clustering_data), "
        "anchors the first patches. In fp16 the loss is scaled by 65,536, or by the largest half, quarter ... of it "
        "without overflow."
    )


def compare(check: Check, variant: Variant, batch: Batch, table: Table) -> None:
    """The rows of a model."""
    model = variant.build(check.sizes, dropout=0.0).eval()
    if variant.name == MICO:
        start = batch.features[: check.sizes.n_anchors]
        model.get_parameter("cluster_centers").data.copy_(start)
    on_cpu = evaluated(model, batch, "fp32", torch.device("cpu"))
    on_device = batch.to(check.device)
    fp32 = evaluated(model.to(check.device), on_device, "fp32", check.device)
    table.add(*_labels(variant, "fp32, device to CPU"), *differences(fp32, on_cpu))
    for precision in PRECISIONS:
        other = evaluated(model, on_device, precision, check.device)
        scaled = f" (loss times {other.scale:g})" if other.scale not in (1.0, FIRST_SCALE) else ""
        table.add(*_labels(variant, f"{precision} to fp32{scaled}"), *differences(other, fp32))


def evaluated(model: BagModel, batch: Batch, precision: str, device: torch.device) -> Evaluated:
    """Logits and gradients of a model that is on the device.

    Raises:
        ValueError: for logits or gradients that are not finite.
    """
    scale = FIRST_SCALE if precision == "fp16" else 1.0
    runner = Runner(model, device, engine_precision(precision))
    with tf32(precision == "tf32", precision == "tf32"):
        while True:
            model.zero_grad(set_to_none=True)
            out = runner(batch)
            (scale * objective(out, batch.target)).backward()
            gradients = {n: _double(p.grad) / scale for n, p in model.named_parameters() if p.grad is not None}
            if all(bool(value.isfinite().all()) for value in gradients.values()):
                break
            if scale <= 1:
                raise ValueError(f"got gradients that are not finite in {precision}, expected finite ones")
            scale /= 2
    logits = _double(out.logits)
    if not bool(logits.isfinite().all()):
        raise ValueError(f"got logits {logits.tolist()} in {precision}, expected finite ones")
    chosen = None if out.stage_assignment is None else out.stage_assignment.detach().cpu()
    return Evaluated(logits, chosen, gradients, scale)


def differences(got: Evaluated, expected: Evaluated) -> tuple[float, float, str, float, float | None]:
    """The cells of a row: logits, gradients, the worst parameter and its error, and the share of other choices."""
    if got.gradients.keys() != expected.gradients.keys():
        raise ValueError(f"got gradients of other parameters: {sorted(got.gradients.keys() ^ expected.gradients)}")
    logits = float((got.logits - expected.logits).abs().max() / expected.logits.abs().max())
    apart = torch.stack([(got.gradients[n] - e).square().sum() for n, e in expected.gradients.items()]).sum()
    whole = torch.stack([e.square().sum() for e in expected.gradients.values()]).sum()
    errors = {
        name: float((got.gradients[name] - e).abs().max() / e.abs().max().clamp(min=1e-30))
        for name, e in expected.gradients.items()
        if not name.endswith(IGNORED)
    }
    worst = max(errors, key=lambda name: errors[name])
    moved = None
    if got.chosen is not None and expected.chosen is not None:
        moved = 100 * float((got.chosen != expected.chosen).any(dim=1).double().mean())
    return logits, float((apart / whole).sqrt()), worst, errors[worst], moved


def _labels(variant: Variant, compared: str) -> tuple[str, str, str]:
    return variant.name, variant.form, compared


def _double(tensor: Tensor) -> Tensor:
    return tensor.detach().double().cpu()
