"""How much is measured: on a GPU, and in a small run that only shows that everything works."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """The sizes of all measurements.

    Attributes:
        dim: D, the width of the features.
        embed_dim: d.
        n_anchors: K.
        n_outputs: C.
        compared: patches of the two slides of the case whose logits and gradients are compared.
        slides: patches of slides whose seconds and memory are measured, ascending; the first is that of a training
            step in the tables.
        fold_slides: slides of the fold.
        fold_patches: patches of each.
        bags: small bags.
        bag_patches: patches of each.
        points: points to cluster.
        repeat_seconds: how long a call is repeated, about.
        repeats: the largest number of repeats.
    """

    dim: int
    embed_dim: int
    n_anchors: int
    n_outputs: int
    compared: tuple[int, int]
    slides: tuple[int, ...]
    fold_slides: int
    fold_patches: int
    bags: int
    bag_patches: int
    points: int
    repeat_seconds: float
    repeats: int


FULL = Sizes(
    dim=768,
    embed_dim=512,
    n_anchors=64,
    n_outputs=4,
    compared=(3000, 2000),
    slides=(10_000, 100_000, 1_000_000),
    fold_slides=50,
    fold_patches=10_000,
    bags=100,
    bag_patches=120,
    points=262_144,
    repeat_seconds=0.2,
    repeats=20,
)
SMALL = Sizes(
    dim=16,
    embed_dim=32,
    n_anchors=8,
    n_outputs=4,
    compared=(40, 30),
    slides=(60, 120, 240),
    fold_slides=4,
    fold_patches=50,
    bags=6,
    bag_patches=12,
    points=400,
    repeat_seconds=0.0,
    repeats=2,
)
