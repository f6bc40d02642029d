"""Bags: cases with all patches of all their slides, and ragged batches of them, without padding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from datasets.cases import Case
from datasets.features import SlideFeatures, read_slide


@dataclass(frozen=True)
class Bag:
    """One case: its slides, and each slide's own anchors (K, D) where slide anchors are used."""

    case: Case
    slides: tuple[SlideFeatures, ...]
    anchors: tuple[Tensor, ...] | None


@dataclass(frozen=True)
class Batch:
    """A ragged batch of B cases, as models and the engine take it.

    Attributes:
        features: (N, D), the patches of all slides, slide after slide, in the precision of their files.
        slide_index: (N,) int64, the slide of each patch.
        case_index: (n_slides,) int64, the case of each slide.
        anchors: (n_slides, K, D) float32, or None.
        coords: (N, 2) int64 level-0 pixels, or None where a slide has none.
        target: what the loss compares logits with, see `outcomes_of`.
        slide_ids: the slides, in order.
    """

    features: Tensor
    slide_index: Tensor
    case_index: Tensor
    anchors: Tensor | None
    coords: Tensor | None
    target: dict[str, Tensor]
    slide_ids: tuple[str, ...]

    def to(self, device: torch.device) -> Batch:
        """The batch on a device; copies from pinned memory overlap with computation."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> Batch:
        """The batch in page-locked memory; called by `DataLoader(pin_memory=True)`."""
        return self._map(lambda tensor: tensor.pin_memory())

    def _map(self, function: Callable[[Tensor], Tensor]) -> Batch:
        changed: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Tensor):
                changed[field.name] = function(value)
        return replace(self, **changed, target={name: function(value) for name, value in self.target.items()})


def outcomes_of(cases: Sequence[Case]) -> dict[str, Tensor]:
    """Outcomes: `label` (B,) int64; or `bin`, `censored` (B,) int64 and `time` (B,) float64 in months."""
    names = ("label",) if cases[0].label is not None else ("bin", "censored", "time")
    return {
        name: torch.tensor(
            [getattr(case, name) for case in cases], dtype=torch.float64 if name == "time" else torch.long
        )
        for name in names
    }


class BagDataset(Dataset[Bag]):
    """The cases of one part of a fold, read from disk case by case.

    An item is asked for by its number, or by (number, seed) with a seed for the choice of `max_patches`; a number alone
    always gives all patches.

    Args:
        cases: in the order of the items.
        paths: the feature file of each slide.
        read_anchors: maps a slide id to its own anchors (K, D); None with data-set anchors.
        max_patches: a random subset of at most so many patches of each slide, kept in their order.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        paths: Mapping[str, Path],
        *,
        read_anchors: Callable[[str], Tensor] | None = None,
        max_patches: int | None = None,
    ) -> None:
        self.cases, self.paths = tuple(cases), paths
        self.read_anchors, self.max_patches = read_anchors, max_patches

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, item: int | tuple[int, int]) -> Bag:
        number, seed = item if isinstance(item, tuple) else (item, None)
        case = self.cases[number]
        slides = tuple(read_slide(self.paths[slide_id]) for slide_id in case.slide_ids)
        if self.max_patches is not None and seed is not None:
            rng = np.random.default_rng(seed)
            slides = tuple(_subset(slide, self.max_patches, rng) for slide in slides)
        anchors = None if self.read_anchors is None else tuple(self.read_anchors(s) for s in case.slide_ids)
        return Bag(case, slides, anchors)


def collate(bags: Sequence[Bag]) -> Batch:
    """Concatenate the patches of all slides of all cases."""
    slides = [slide for bag in bags for slide in bag.slides]
    sizes = torch.tensor([len(slide.features) for slide in slides])
    anchors = [a for bag in bags for a in bag.anchors or ()]
    coords = [slide.coords for slide in slides if slide.coords is not None]
    return Batch(
        features=torch.cat([slide.features for slide in slides]),
        slide_index=torch.repeat_interleave(torch.arange(len(slides)), sizes),
        case_index=torch.repeat_interleave(torch.arange(len(bags)), torch.tensor([len(bag.slides) for bag in bags])),
        anchors=torch.stack(anchors) if anchors else None,
        coords=torch.cat(coords) if len(coords) == len(slides) else None,
        target=outcomes_of([bag.case for bag in bags]),
        slide_ids=tuple(slide.slide_id for slide in slides),
    )


class TrainingBatches:
    """Batches of the training cases, in an order that is a function of the epoch alone.

    Without weights each epoch visits every case once. With `weighted` it draws as many cases with replacement, each
    class (cls) or time bin (surv) with the same probability.

    Args:
        dataset: the training cases.
        batch_size: cases in a batch; the last one may be smaller.
        weighted: draw classes evenly.
        seed_of_epoch: maps an epoch to its seed.
        loader: arguments of the `DataLoader`.
    """

    def __init__(
        self,
        dataset: BagDataset,
        *,
        batch_size: int,
        weighted: bool,
        seed_of_epoch: Callable[[int], int],
        loader: Mapping[str, Any],
    ) -> None:
        self.dataset, self.batch_size, self.seed_of_epoch = dataset, batch_size, seed_of_epoch
        self.weights = _even_weights(dataset.cases) if weighted else None
        self._order = _EpochOrder(self)
        # The loader's own generator: worker seeds must not move the global one, from which dropout is drawn.
        self._loader = DataLoader(dataset, batch_sampler=self._order, generator=torch.Generator(), **loader)

    @property
    def batch_sizes(self) -> list[int]:
        """Cases of each batch."""
        n_cases = len(self.dataset)
        return [min(self.batch_size, n_cases - start) for start in range(0, n_cases, self.batch_size)]

    def epoch(self, epoch: int) -> DataLoader:
        """The batches of an epoch."""
        self._order.number = epoch
        return self._loader

    def order(self, epoch: int) -> list[list[tuple[int, int]]]:
        """The items (number, seed) of each batch of an epoch."""
        rng = np.random.default_rng(self.seed_of_epoch(epoch))
        n_cases = len(self.dataset)
        if self.weights is None:
            numbers = rng.permutation(n_cases)
        else:
            numbers = rng.choice(n_cases, size=n_cases, p=self.weights)
        seeds = rng.integers(2**63, size=n_cases)
        items = list(zip(numbers.tolist(), seeds.tolist(), strict=True))
        return [items[start : start + self.batch_size] for start in range(0, n_cases, self.batch_size)]


class _EpochOrder:
    """The batch sampler of a `DataLoader` that outlives the epoch."""

    def __init__(self, batches: TrainingBatches) -> None:
        self.batches, self.number = batches, 0

    def __len__(self) -> int:
        return len(self.batches.batch_sizes)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        return iter(self.batches.order(self.number))


def evaluation_batches(dataset: BagDataset, *, batch_size: int, loader: Mapping[str, Any]) -> DataLoader:
    """All cases in their order, with all their patches."""
    return DataLoader(dataset, batch_size=batch_size, generator=torch.Generator(), **loader)


def loader_arguments(*, num_workers: int, pin_memory: bool) -> dict[str, Any]:
    """Arguments of a `DataLoader` over bags; workers stay alive between epochs."""
    return {
        "collate_fn": collate,
        "num_workers": num_workers,
        "persistent_workers": num_workers > 0,
        "pin_memory": pin_memory,
    }


def _even_weights(cases: Sequence[Case]) -> np.ndarray:
    """Probability (n,) of each case, so that every class, or time bin, has the same in all."""
    strata = np.array([case.bin if case.label is None else case.label for case in cases])
    weights = 1.0 / np.bincount(strata)[strata]
    return weights / weights.sum()


def _subset(slide: SlideFeatures, size: int, rng: np.random.Generator) -> SlideFeatures:
    n_patches = len(slide.features)
    if n_patches <= size:
        return slide
    rows = torch.from_numpy(np.sort(rng.choice(n_patches, size=size, replace=False)))
    coords = None if slide.coords is None else slide.coords[rows]
    return replace(slide, features=slide.features[rows], coords=coords)
