"""Bags: cases with all patches of all their slides, and ragged batches of them, without padding."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datasets.folds.cases import Case
from datasets.slides.features import SlideFeatures, read_slide


@dataclass(frozen=True)
class Bag:
    """One case: its slides, and each slide's own anchors (K, D) where slide anchors are used."""

    case: Case
    slides: tuple[SlideFeatures, ...]
    anchors: tuple[Tensor, ...] | None


_ON_THE_CPU = ("slide_index", "case_index", "coords")  # of a batch, wherever its features are


@dataclass(frozen=True)
class Batch:
    """A ragged batch of B cases, as models and the engine take it.

    Attributes:
        features: (N, D), the patches of all slides, slide after slide, in the precision of their files.
        slide_index: (N,) int64, the slide of each patch; it stays on the CPU, see `models.bag_model`.
        case_index: (n_slides,) int64, the case of each slide; it stays on the CPU.
        anchors: (n_slides, K, D) float32, or None.
        coords: (N, 2) int64 level-0 pixels, or None where a slide has none; they stay on the CPU.
        target: what the loss compares logits with, see `outcomes_of`.
        slide_ids: the slides, in order.
        attributes: the numbers that each slide's file gives for its patches.
        slide_coords: the coords of each slide, None for those without any; they stay in the memory of the CPU.
    """

    features: Tensor
    slide_index: Tensor
    case_index: Tensor
    anchors: Tensor | None
    coords: Tensor | None
    target: dict[str, Tensor]
    slide_ids: tuple[str, ...]
    attributes: tuple[dict[str, float], ...]
    slide_coords: tuple[Tensor | None, ...]

    def slides(self) -> list[SlideFeatures]:
        """The slides one by one, as views of the batch."""
        sizes = torch.bincount(self.slide_index, minlength=len(self.slide_ids)).tolist()
        parts = zip(self.slide_ids, self.features.split(sizes), self.slide_coords, self.attributes, strict=True)
        return [SlideFeatures(*part) for part in parts]

    def to(self, device: torch.device) -> Batch:
        """The batch on a device, but for what is looked at on the CPU; copies from pinned memory overlap with work."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=True), but=_ON_THE_CPU)

    def pin_memory(self) -> Batch:
        """The batch in page-locked memory, from which a GPU copies while it computes."""
        return self._map(lambda tensor: tensor.pin_memory())

    def _map(self, function: Callable[[Tensor], Tensor], but: Sequence[str] = ()) -> Batch:
        changed: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Tensor) and field.name not in but:
                changed[field.name] = function(value)
        return replace(self, **changed, target={name: function(value) for name, value in self.target.items()})


def outcomes_of(cases: Sequence[Case]) -> dict[str, Tensor]:
    """Outcomes: `label` (B,) int64; or `bin`, `censored` (B,) int64 and `time` (B,) float64 in months; or none."""
    if cases[0].label is None and cases[0].time is None:  # cases of another cohort, which are only predicted
        return {}
    names = ("label",) if cases[0].label is not None else ("bin", "censored", "time")
    return {
        name: torch.tensor(
            [getattr(case, name) for case in cases], dtype=torch.float64 if name == "time" else torch.long
        )
        for name in names
    }


class BagDataset:
    """The cases of one part of a fold, read from disk case by case.

    An item is asked for by its number, or by (number, seed) with a seed for the choice of `max_patches`; a number alone
    always gives all patches.

    Args:
        cases: in the order of the items.
        paths: the feature file of each slide.
        read_anchors: maps a slide id to its own anchors (K, D); None with data-set anchors.
        max_patches: a random subset of at most so many patches of each slide, kept in their order.
        read: reads a feature file; called by several threads at a time where batches are read ahead.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        paths: Mapping[str, Path],
        *,
        read_anchors: Callable[[str], Tensor] | None = None,
        max_patches: int | None = None,
        read: Callable[[Path], SlideFeatures] = read_slide,
    ) -> None:
        self.cases, self.paths, self.read = tuple(cases), paths, read
        self.read_anchors, self.max_patches = read_anchors, max_patches

    def __len__(self) -> int:
        return len(self.cases)

    def restricted(self, to: Callable[[Case], bool]) -> BagDataset:
        """The same cases but for those that `to` rejects."""
        cases = [case for case in self.cases if to(case)]
        return BagDataset(
            cases, self.paths, read_anchors=self.read_anchors, max_patches=self.max_patches, read=self.read
        )

    def __getitem__(self, item: int | tuple[int, int]) -> Bag:
        number, seed = item if isinstance(item, tuple) else (item, None)
        case = self.cases[number]
        slides = tuple(self.read(self.paths[slide_id]) for slide_id in case.slide_ids)
        if self.max_patches is not None and seed is not None:
            rng = np.random.default_rng(seed)
            slides = tuple(_subset(slide, self.max_patches, rng) for slide in slides)
        anchors = None if self.read_anchors is None else tuple(self.read_anchors(s) for s in case.slide_ids)
        return Bag(case, slides, anchors)


def collate(bags: Sequence[Bag]) -> Batch:
    """Join the patches of all slides of all cases; those of a single slide are not copied."""
    slides = [slide for bag in bags for slide in bag.slides]
    sizes = torch.tensor([len(slide.features) for slide in slides])
    anchors = [a for bag in bags for a in bag.anchors or ()]
    coords = [slide.coords for slide in slides if slide.coords is not None]
    return Batch(
        features=_joined([slide.features for slide in slides]),
        slide_index=torch.repeat_interleave(torch.arange(len(slides)), sizes),
        case_index=torch.repeat_interleave(torch.arange(len(bags)), torch.tensor([len(bag.slides) for bag in bags])),
        anchors=torch.stack(anchors) if anchors else None,
        coords=_joined(coords) if len(coords) == len(slides) else None,
        target=outcomes_of([bag.case for bag in bags]),
        slide_ids=tuple(slide.slide_id for slide in slides),
        attributes=tuple(slide.attributes for slide in slides),
        slide_coords=tuple(slide.coords for slide in slides),
    )


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    # `torch.cat` copies even a single tensor: 61 MB of 20,000 x 768 float32, in 20 ms.
    return tensors[0] if len(tensors) == 1 else torch.cat(list(tensors))


def _subset(slide: SlideFeatures, size: int, rng: np.random.Generator) -> SlideFeatures:
    n_patches = len(slide.features)
    if n_patches <= size:
        return slide
    rows = torch.from_numpy(np.sort(rng.choice(n_patches, size=size, replace=False)))
    coords = None if slide.coords is None else slide.coords[rows]
    return replace(slide, features=slide.features[rows], coords=coords)
