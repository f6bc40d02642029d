"""Batches in their order, of the epoch in training and of the cases in evaluation, read ahead by threads or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from datasets.bags import BagDataset, Batch, collate
from datasets.folds.cases import Case

Item = int | tuple[int, int]


@dataclass(frozen=True)
class BatchReader:
    """How batches get from the disk to the model.

    Attributes:
        map_in_order: called as `map` is, which reads each batch when it is asked for. Another one may call the function
            in several threads and ahead of time, as long as results come in order and an error where its result would.
        pin_memory: batches come in page-locked memory; the thread that reads a batch moves it there.
    """

    map_in_order: Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]] = map
    pin_memory: bool = False

    def __call__(self, dataset: BagDataset, order: Iterable[Sequence[Item]]) -> Iterator[Batch]:
        """The batches of these items, in their order."""

        def read(items: Sequence[Item]) -> Batch:
            batch = collate([dataset[item] for item in items])
            return batch.pin_memory() if self.pin_memory else batch

        return self.map_in_order(read, order)


class TrainingBatches:
    """Batches of the training cases, in an order that is a function of the epoch alone.

    Without weights each epoch visits every case once. With `weighted` it draws as many cases with replacement, each
    class (cls) or time bin (surv) with the same probability.

    Args:
        dataset: the training cases.
        batch_size: cases in a batch; the last one may be smaller.
        weighted: draw classes evenly.
        seed_of_epoch: maps an epoch to its seed.
        reader: reads the batches.
    """

    def __init__(
        self,
        dataset: BagDataset,
        *,
        batch_size: int,
        weighted: bool,
        seed_of_epoch: Callable[[int], int],
        reader: BatchReader,
    ) -> None:
        self.dataset, self.batch_size, self.seed_of_epoch, self.reader = dataset, batch_size, seed_of_epoch, reader
        self.weights = _even_weights(dataset.cases) if weighted else None

    @property
    def batch_sizes(self) -> list[int]:
        """Cases of each batch."""
        n_cases = len(self.dataset)
        return [min(self.batch_size, n_cases - start) for start in range(0, n_cases, self.batch_size)]

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Any]:
        """The batches (`Batch`) of an epoch, those before number `start` left out."""
        return self.reader(self.dataset, self.order(epoch)[start:])

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


class EvaluationBatches:
    """All cases in their order, with all their patches.

    Args:
        dataset: the cases.
        batch_size: cases in a batch; the last one may be smaller.
        reader: reads the batches, anew each time they are gone through.
    """

    def __init__(self, dataset: BagDataset, *, batch_size: int, reader: BatchReader) -> None:
        self.dataset, self.batch_size, self.reader = dataset, batch_size, reader

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        numbers = range(len(self.dataset))
        return self.reader(self.dataset, [numbers[i : i + self.batch_size] for i in numbers[:: self.batch_size]])


def _even_weights(cases: Sequence[Case]) -> np.ndarray:
    """Probability (n,) of each case, so that every class, or time bin, has the same in all."""
    strata = np.array([case.bin if case.label is None else case.label for case in cases])
    weights = 1.0 / np.bincount(strata)[strata]
    return weights / weights.sum()
