"""One measurement of `benchmarks.large_slides` in this process, whose result is JSON in the last line.

A process of its own for each, because allocators keep memory that was freed.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.steps import DROPOUT, EMBED_DIM, N_OUTPUTS, Slide, autocast
from benchmarks.timing import peak_memory
from datasets.bags import Bag, Batch, collate
from datasets.folds.cases import Case
from datasets.slides.features import SlideFeatures, read_shape, read_slide
from models import build_model
from tests.reference.mico_plain import PlainMiCo
from utils.machine.memory import keep_freed_memory

# Below so many patches, seconds are the median of several: they are short.
REPEATED_BELOW, REPEATS = 20_000, 5


@dataclass(frozen=True)
class Measurement:
    """What to measure for the slide in a feature file.

    Attributes:
        task: `predict`; `train`, forward and backward; or `gradients`, only how far they are from those in one piece.
        path: the feature file.
        formulation: `released` or `paper`.
        precision: `fp32`, `bf16`, or `fp64`.
        plain: measure the plain path; with `gradients`, compare with it instead of with one block.
        block_rows: patches of a block.
        recompute_above: patches above which training recomputes blocks.
        other_rows: patches of a block in the prediction of MiCo that the logits are compared with; 0 for none.
        device: where it computes.
    """

    task: str
    path: str
    formulation: str
    precision: str
    plain: bool
    block_rows: int
    recompute_above: int
    other_rows: int
    device: str


class Passes(nn.Module):
    """A scale that leaves features as they are and counts the rows that it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = 0

    def forward(self, rows: Tensor) -> Tensor:
        """The rows."""
        self.rows += len(rows)
        return rows


def load(path: Path, device: torch.device) -> Batch:
    """The slide as training and prediction get it: memory-mapped, checked, and not copied on a CPU."""
    return batch_of(read_slide(path)).to(device)


def batch_of(slide: SlideFeatures) -> Batch:
    """A batch of one slide."""
    return collate([Bag(Case(slide.slide_id, (slide.slide_id,), label=1), (slide,), None)])


def build(measurement: Measurement, dim: int, *, plain: bool, dropout: float = DROPOUT) -> Any:
    """MiCo, or the plain path, always with the same weights."""
    torch.manual_seed(0)
    options: dict[str, Any] = {"dim_in": dim, "n_outputs": N_OUTPUTS, "embed_dim": EMBED_DIM, "dropout": dropout}
    options["formulation"] = measurement.formulation
    model: Any = PlainMiCo(**options) if plain else build_model("mico", **options)
    if not plain:
        model.block_rows, model.recompute_above = measurement.block_rows, measurement.recompute_above
    dtype = torch.float64 if measurement.precision == "fp64" else torch.float32
    return model.to(torch.device(measurement.device), dtype)


def logits_of(model: nn.Module, batch: Batch, precision: str, passes: Passes | None = None) -> Tensor:
    """Logits (1, C), float32 or wider; the plain path gets all features at once, in its own precision."""
    with autocast(batch.features.device, precision):
        if isinstance(model, PlainMiCo):
            out = model([[batch.features.to(model.classifier.weight.dtype)]])
        else:
            model.feature_scale = nn.Identity() if passes is None else passes
            out = model(batch.features, batch.slide_index, batch.case_index).logits
    return out.to(torch.promote_types(out.dtype, torch.float32))


def loss_of(model: nn.Module, batch: Batch, precision: str, passes: Passes | None = None) -> Tensor:
    """The loss of a training step."""
    return F.cross_entropy(logits_of(model, batch, precision, passes), batch.target["label"])


def gradients_of(model: nn.Module, batch: Batch, precision: str) -> dict[str, Tensor]:
    """The gradients of a step; not that of the scorer's bias, which a softmax makes zero up to rounding."""
    loss_of(model.train(), batch, precision).backward()
    found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return {name: grad for name, grad in found.items() if not name.endswith("attention_scorer.bias")}


def largest_difference(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """The largest difference of a parameter's gradients, relative to the largest of that parameter's gradients."""
    if found.keys() != expected.keys():
        raise ValueError(f"got gradients of other parameters: {sorted(found.keys() ^ expected.keys())}")
    return max(float((found[name] - grad).abs().max() / grad.abs().max()) for name, grad in expected.items())


def compare_gradients(measurement: Measurement) -> dict[str, float]:
    """Gradients in blocks, without dropout, against those in one block, or against the plain path's.

    In bf16 without the ReLU of the final projector, through which one pooled row goes: rounding in another order moves
    a unit from one side of 0 to the other, where it has all of its gradient or none. With it they differed by 0.27.
    """
    batch = load(Path(measurement.path), torch.device(measurement.device))
    dim = batch.features.size(1)
    in_blocks = build(measurement, dim, plain=False, dropout=0.0)
    whole = build(measurement, dim, plain=measurement.plain, dropout=0.0)
    whole.load_state_dict(in_blocks.state_dict())
    whole.recompute_above = len(batch.features)
    if measurement.precision == "bf16":
        for model in (in_blocks, whole):
            model.final_projector = model.final_projector[:1]
    found = gradients_of(in_blocks, batch, measurement.precision)
    return {"difference": largest_difference(found, gradients_of(whole, batch, measurement.precision))}


def measure(measurement: Measurement) -> dict[str, float]:
    """Seconds (of these, reading), the peak of memory, passes over the features and the difference of the logits."""
    device, path = torch.device(measurement.device), Path(measurement.path)
    n_patches, dim = read_shape(path)
    model = build(measurement, dim, plain=measurement.plain)
    few = Slide.of_size(256, dim, device).features
    run(measurement, model, batch_of(SlideFeatures("warm-up", few, None, {})))
    seconds, reading, passes = [], [], Passes()
    with peak_memory(device) as peak:
        for _ in range(REPEATS if n_patches < REPEATED_BELOW else 1):
            started = time.perf_counter()
            batch = load(path, device)
            reading.append(time.perf_counter() - started)
            result = run(measurement, model, batch, passes)
            seconds.append(time.perf_counter() - started)
    measured = {"seconds": statistics.median(seconds), "reading": statistics.median(reading), "bytes": peak.bytes}
    measured["passes"] = passes.rows / n_patches / len(seconds)
    if measurement.other_rows:
        other = build(replace(measurement, block_rows=measurement.other_rows), dim, plain=False)
        other.load_state_dict(model.state_dict())
        measured["difference"] = (result - run(measurement, other, batch)).abs().max().item()
    return measured


def run(measurement: Measurement, model: nn.Module, batch: Batch, passes: Passes | None = None) -> Tensor:
    """The logits of a prediction, or the loss of a training step; on the CPU, so that they are there."""
    if measurement.task == "predict":
        with torch.no_grad():
            return logits_of(model.eval(), batch, measurement.precision, passes).cpu()
    loss = loss_of(model.train(), batch, measurement.precision, passes)
    loss.backward()
    model.zero_grad()
    return loss.detach().cpu()


def main(arguments: list[str]) -> int:
    """Measure what the argument, a `Measurement` as JSON, asks for."""
    keep_freed_memory()  # as main.py does
    measurement = Measurement(**json.loads(arguments[0]))
    measured = compare_gradients(measurement) if measurement.task == "gradients" else measure(measurement)
    sys.stdout.write(json.dumps(measured) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
