"""What a training step and a prediction of each model do on a GPU, counted on a pretended one.

`python -m tests.gpu_counts` prints a Markdown table: for one slide of 300 patches with 8 neighbours each, in fp32,
operations that start a kernel (an operation may start several), and places where the processor waits for the GPU.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import torch

from datasets.bags import Batch
from models import MODELS, build_model
from models.objective import training_objective
from tests.pretend_gpu import pretend_gpu
from utils.pipeline.models import loss_of
from utils.training.optim import build_optimizer

N_PATCHES, DIM_IN, N_CLASSES = 300, 32, 2


@dataclass(frozen=True)
class GpuCounts:
    """What one slide costs: kernels of each pass, waits of a whole training step and of a prediction."""

    forward: int
    backward: int
    optimizer: int
    prediction: int
    waits_of_step: int
    waits_of_prediction: int


def one_slide() -> Batch:
    """A batch of one slide on a grid."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(N_PATCHES, DIM_IN, generator=generator)
    coords = 256 * torch.stack([torch.arange(N_PATCHES) // 20, torch.arange(N_PATCHES) % 20], dim=1)
    index, case = torch.zeros(N_PATCHES, dtype=torch.long), torch.zeros(1, dtype=torch.long)
    label = {"label": torch.tensor([1])}
    return Batch(features, index, case, None, coords, label, ("slide",), ({},), (coords,))


def counts_of(name: str, **options: object) -> GpuCounts:
    """Count what a model does with a slide that is on the GPU."""
    with pretend_gpu() as counts:
        model = build_model(name, dim_in=DIM_IN, n_outputs=N_CLASSES, **options).to("cuda").train()
        optimizer = build_optimizer("ranger", model, lr=1e-4, weight_decay=1e-5)
        batch = one_slide().to(torch.device("cuda"))
        inputs = (batch.features, batch.slide_index, batch.case_index, batch.anchors, batch.coords)

        counts.clear()
        loss = training_objective(model(*inputs), batch.target, loss_of("cls", alpha=0.0))
        forward, waits = sum(counts.kernels.values()), sum(counts.waits.values())
        counts.clear()
        loss.backward()
        backward, waits = sum(counts.kernels.values()), waits + sum(counts.waits.values())
        optimizer.step()  # the first one makes its state
        counts.clear()
        optimizer.step()
        step, waits = sum(counts.kernels.values()), waits + sum(counts.waits.values())
        counts.clear()
        with torch.no_grad():
            model.eval()(*inputs)
        return GpuCounts(forward, backward, step, sum(counts.kernels.values()), waits, sum(counts.waits.values()))


def table() -> str:
    """The Markdown table of all models."""
    lines = [
        "| | kernels: forward | backward | optimizer | prediction | waits: step | prediction |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in MODELS:
        for options in ({"formulation": "released"}, {"formulation": "paper"}) if name == "mico" else ({},):
            c = counts_of(name, **options)
            label = ", ".join([name, *options.values()])
            cells = (c.forward, c.backward, c.optimizer, c.prediction, c.waits_of_step, c.waits_of_prediction)
            lines.append(f"| {label} | {' | '.join(str(cell) for cell in cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
