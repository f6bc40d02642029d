"""Three epochs of the released code (`tests/data/trajectory_*.npz`), followed by this project's own training loop."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datasets.bags import Bag, Batch, collate
from datasets.folds.cases import Case
from datasets.slides.features import SlideFeatures
from models import build_model
from models.objective import training_objective
from utils.pipeline.models import loss_of
from utils.training.engine import Runner
from utils.training.optim import build_optimizer
from utils.training.schedule import Schedule
from utils.training.training import train

DATA = Path(__file__).parents[1] / "data"
# One is not used; a softmax does not change with the other, whose gradient is rounding alone.
WITHOUT_GRADIENT = ("similarity_bias", "attention_network.attention_scorer.bias")
TRAJECTORIES = {"surv": DATA / "trajectory_surv_20_cases.npz", "cls": DATA / "trajectory_cls_26_slides.npz"}


@dataclass(frozen=True)
class Deviation:
    """How far training went from the released code.

    Attributes:
        losses: the greatest absolute difference of a loss.
        parameters: `||p - q|| / ||q - q_0||` over all parameters at once; p are ours and q the released ones after the
            last epoch, q_0 the initial ones.
        worst_tensor: the greatest such quotient of a single tensor, of those that a gradient moved.
    """

    losses: float
    parameters: float
    worst_tensor: float


@dataclass(frozen=True)
class FixedOrder:
    """Batches of one case, in the order that the file gives for each epoch."""

    cases: Sequence[Batch]
    orders: np.ndarray

    @property
    def batch_sizes(self) -> list[int]:
        return [1] * len(self.cases)

    def __len__(self) -> int:
        return len(self.cases)

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.cases)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        return iter([self.cases[number] for number in self.orders[epoch - 1][start:]])


def follow(task: str, folder: Path, *, device: torch.device, precision: str = "fp32") -> Deviation:
    """Train as the file of a task says, from its initial parameters; `folder` takes what training writes."""
    known = np.load(TRAJECTORIES[task], allow_pickle=False)
    config = json.loads(str(known["config"]))
    shape = {name: config[name] for name in ("dim_in", "n_outputs", "n_anchors", "embed_dim", "n_stages", "dropout")}
    model: Any = build_model("mico", similarity=config["similarity"], assignment=config["assignment"], **shape)
    initial = parameters_of(known, "initial")
    model.load_released_state_dict(initial)
    batches: Any = FixedOrder(cases_of(known), known["order"])
    losses: list[float] = []
    loss = loss_of(task, config["alpha_surv"])

    def objective(out: Any, target: dict[str, Tensor]) -> Tensor:
        value = training_objective(out, target, loss)
        losses.append(value.item())
        return value

    schedule = Schedule(
        epochs=config["epochs"],
        patience=config["epochs"],
        grad_accum=config["grad_accum"],
        monitor="val_loss",
        tie_rule="first",
        seed=0,
        fold=0,
    )
    train(
        Runner(model.to(device), device, precision),
        batches,
        batches,
        objective,
        lambda logits: {"val_loss": float(logits.norm())},
        build_optimizer(config["optimizer"], model, lr=config["lr"], weight_decay=config["weight_decay"]),
        schedule,
        folder,
        checkpoint={},
    )
    return deviation(model.state_dict(), initial, parameters_of(known, "after_epoch_3"), losses, known["losses"])


def deviation(
    reached: dict[str, Tensor], initial: dict[str, Tensor], released: dict[str, Tensor], losses: Any, expected: Any
) -> Deviation:
    """Parameters and losses against the released ones."""
    missed = {name: float((reached[name].cpu() - released[name]).double().norm()) for name in released}
    moved = {name: float((released[name] - initial[name]).double().norm()) for name in released}
    return Deviation(
        losses=float(np.abs(np.array(losses) - expected).max()),
        parameters=float(np.linalg.norm(list(missed.values())) / np.linalg.norm(list(moved.values()))),
        worst_tensor=max(missed[name] / moved[name] for name in moved if name not in WITHOUT_GRADIENT),
    )


def parameters_of(known: Any, when: str) -> dict[str, Tensor]:
    """{name: parameter} of one moment of the file."""
    return {name.removeprefix(f"{when}/"): torch.from_numpy(known[name]) for name in known if name.startswith(when)}


def cases_of(known: Any) -> list[Batch]:
    """A batch of one case for each case of the file."""
    slides = list(torch.from_numpy(known["features"]).split(known["slide_sizes"].tolist()))
    batches = []
    for number, n_slides in enumerate(known["slides_of_case"].tolist()):
        names = tuple(f"{number}_{i}" for i in range(n_slides))
        outcome = {name: int(known[name][number]) for name in ("label", "bin", "censored") if name in known}
        case = Case(str(number), names, time=None if "label" in outcome else 1.0, **outcome)
        features = [SlideFeatures(name, slides.pop(0), None, {}) for name in names]
        batches.append(collate([Bag(case, tuple(features), None)]))
    return batches
