"""The parts of the check, in their order: what is worth most comes first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.gpu_check import (
    clustering,
    compiled,
    fold,
    kernels,
    optimizers,
    precisions,
    released_vectors,
    slide_sizes,
    small_bags,
    training_steps,
    trajectories,
)
from benchmarks.gpu_check.check import Check
from benchmarks.gpu_check.report import PartReport


@dataclass(frozen=True)
class Part:
    """A part: its title, the most seconds after which it begins no further measurement, and what runs it."""

    title: str
    seconds: float
    run: Callable[[Check, PartReport], None]


PARTS = {
    "released_vectors": Part("Released vectors", 20, released_vectors.run),
    "trajectories": Part("Trajectories of the released code", 30, trajectories.run),
    "precisions": Part("Logits and gradients by device and precision", 60, precisions.run),
    "optimizers": Part("Optimizers", 10, optimizers.run),
    "smallest_slides": Part("Seconds and memory, smallest slide", 50, slide_sizes.smallest),
    "training_steps": Part("Training steps", 60, training_steps.run),
    "kernels": Part("Kernels and waiting", 50, kernels.run),
    "fold": Part("A fold", 50, fold.run),
    "small_bags": Part("Small bags", 40, small_bags.run),
    "larger_slides": Part("Seconds and memory, larger slides", 120, slide_sizes.larger),
    "clustering": Part("Clustering", 20, clustering.run),
    "compiled": Part("torch.compile", 150, compiled.run),
}
