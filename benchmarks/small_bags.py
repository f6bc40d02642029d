"""Epochs over bags of the size of the demonstration's (UCSB breast): MiCo in batches, the plain path case by case."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.steps import DROPOUT, PlainRanger, optimised
from datasets.bags import Bag, Batch, collate
from datasets.folds.cases import Case
from datasets.slides.features import SlideFeatures
from models import build_model
from tests.reference.mico_plain import PlainMiCo

N_BAGS, SMALLEST, LARGEST, DIM = 33, 20, 50, 708
BATCH_SIZE = 8
Step = Callable[[Batch], None]
PLAIN, BATCHED = "plain path, batch 1", f"mico, batch {BATCH_SIZE}"


def training_bags() -> list[Bag]:
    """Bags of 20 to 50 patches of standard normal features."""
    generator = torch.Generator().manual_seed(0)
    sizes = torch.randint(SMALLEST, LARGEST + 1, (N_BAGS,), generator=generator).tolist()
    bags = []
    for number, size in enumerate(sizes):
        name = f"bag_{number:02d}"
        slide = SlideFeatures(name, torch.randn(size, DIM, generator=generator), None, {})
        bags.append(Bag(Case(name, (name,), label=number % 2), (slide,), None))
    return bags


def epochs(formulation: str, embed_dim: int, device: torch.device) -> dict[str, Callable[[], None]]:
    """An epoch of each of the two ways, by name; joining bags to batches is in it, reading them from disk is not."""
    bags = training_bags()
    return {
        PLAIN: _epoch(_plain(formulation, embed_dim, device), bags, 1, device),
        BATCHED: _epoch(_mico(formulation, embed_dim, device), bags, BATCH_SIZE, device),
    }


def _epoch(step: Step, bags: list[Bag], batch_size: int, device: torch.device) -> Callable[[], None]:
    def epoch() -> None:
        for start in range(0, len(bags), batch_size):
            step(collate(bags[start : start + batch_size]).to(device))

    return epoch


def _mico(formulation: str, embed_dim: int, device: torch.device) -> Step:
    torch.manual_seed(0)
    model = build_model(
        "mico", dim_in=DIM, n_outputs=2, formulation=formulation, embed_dim=embed_dim, dropout=DROPOUT
    ).to(device)

    def loss(batch: Batch) -> Tensor:
        out = model(batch.features, batch.slide_index, batch.case_index)
        return F.cross_entropy(out.logits, batch.target["label"])

    return optimised(model, loss)


def _plain(formulation: str, embed_dim: int, device: torch.device) -> Step:
    torch.manual_seed(0)
    model = PlainMiCo(dim_in=DIM, n_outputs=2, formulation=formulation, embed_dim=embed_dim, dropout=DROPOUT).to(device)
    optimizer = PlainRanger(model)
    return optimised(model, lambda batch: F.cross_entropy(model([[batch.features]]), batch.target["label"]), optimizer)
