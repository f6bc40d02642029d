"""Bags and ragged batches against what was written to disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from datasets.bags import BagDataset, TrainingBatches, collate, evaluation_batches, loader_arguments, outcomes_of
from datasets.cases import Case
from datasets.features import write_slide

SIZES = {"a1": 3, "a2": 1, "b1": 5, "c1": 2}
CASES = (
    Case("a", ("a1", "a2"), time=3.5, censored=1, bin=0),
    Case("b", ("b1",), time=7.0, censored=0, bin=1),
    Case("c", ("c1",), time=9.0, censored=0, bin=1),
)
LOADER = loader_arguments(num_workers=0, pin_memory=False)


@pytest.fixture
def features() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {slide_id: torch.randn(size, 4, generator=generator) for slide_id, size in SIZES.items()}


@pytest.fixture
def paths(features, tmp_path) -> dict[str, Path]:
    for slide_id, rows in features.items():
        write_slide(tmp_path / f"{slide_id}.h5", rows, torch.arange(2 * len(rows)).reshape(-1, 2))
    return {slide_id: tmp_path / f"{slide_id}.h5" for slide_id in features}


def test_a_batch_holds_all_patches_of_all_slides_in_order(features, paths):
    batch = next(iter(evaluation_batches(BagDataset(CASES, paths), batch_size=2, loader=LOADER)))
    assert torch.equal(batch.features, torch.cat([features["a1"], features["a2"], features["b1"]]))
    assert batch.slide_index.tolist() == [0, 0, 0, 1, 2, 2, 2, 2, 2]
    assert batch.case_index.tolist() == [0, 0, 1]
    assert batch.coords[3:5].tolist() == [[0, 1], [0, 1]]
    assert batch.slide_ids == ("a1", "a2", "b1")
    assert batch.anchors is None
    assert {name: value.tolist() for name, value in batch.target.items()} == {
        "bin": [0, 1],
        "censored": [1, 0],
        "time": [3.5, 7.0],
    }


def test_the_last_evaluation_batch_has_what_is_left(paths):
    batches = list(evaluation_batches(BagDataset(CASES, paths), batch_size=2, loader=LOADER))
    assert [batch.slide_ids for batch in batches] == [("a1", "a2", "b1"), ("c1",)]


def test_slide_anchors_come_slide_by_slide(paths):
    anchors = {slide_id: torch.full((2, 4), float(i)) for i, slide_id in enumerate(SIZES)}
    dataset = BagDataset(CASES, paths, read_anchors=anchors.__getitem__)
    batch = collate([dataset[0], dataset[2]])
    assert torch.equal(batch.anchors, torch.stack([anchors["a1"], anchors["a2"], anchors["c1"]]))


def test_a_slide_without_coordinates_leaves_the_batch_without(features, paths, tmp_path):
    write_slide(tmp_path / "plain.pt", features["c1"])
    dataset = BagDataset(CASES, {**paths, "c1": tmp_path / "plain.pt"})
    assert collate([dataset[0]]).coords is not None
    assert collate([dataset[0], dataset[2]]).coords is None


def test_files_keep_their_precision(tmp_path):
    write_slide(tmp_path / "h.pt", torch.ones(3, 4, dtype=torch.float16))
    batch = collate([BagDataset([Case("h", ("h",), label=1)], {"h": tmp_path / "h.pt"})[0]])
    assert batch.features.dtype == torch.float16
    assert batch.target["label"].tolist() == [1]


def test_a_subset_is_drawn_in_training_only_and_by_its_seed(features, paths):
    dataset = BagDataset(CASES, paths, max_patches=2)
    assert [len(slide.features) for slide in dataset[1].slides] == [5]  # without a seed: all patches
    first, again, other = dataset[1, 7].slides[0], dataset[1, 7].slides[0], [dataset[1, s].slides[0] for s in range(9)]
    assert torch.equal(first.features, again.features)
    assert first.features.shape == (2, 4)
    assert any(not torch.equal(first.features, slide.features) for slide in other)
    for features_row, coords_row in zip(first.features, first.coords, strict=True):
        (row,) = (features["b1"] == features_row).all(dim=1).nonzero().flatten().tolist()
        assert coords_row.tolist() == [2 * row, 2 * row + 1]  # coordinates stay with their patch
    assert [len(slide.features) for slide in dataset[0, 1].slides] == [2, 1]  # a slide with fewer keeps all


def many_cases(labels: list[int]) -> list[Case]:
    return [Case(str(i), (f"s{i}",), label=label) for i, label in enumerate(labels)]


def training(cases: list[Case], *, batch_size: int = 4, weighted: bool = False) -> TrainingBatches:
    return TrainingBatches(
        BagDataset(cases, {}), batch_size=batch_size, weighted=weighted, seed_of_epoch=lambda e: 100 + e, loader=LOADER
    )


def test_an_epoch_visits_every_case_once_in_an_order_of_its_own():
    batches = training(many_cases([0, 1] * 5))
    assert batches.batch_sizes == [4, 4, 2]
    orders = [[number for batch in batches.order(epoch) for number, _ in batch] for epoch in (1, 2)]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(10))
    assert orders[0] != orders[1]
    assert [len(batch) for batch in batches.order(1)] == batches.batch_sizes
    assert batches.order(1) == training(many_cases([0, 1] * 5)).order(1)  # a function of the epoch alone


def test_weighted_sampling_draws_classes_evenly():
    """9 of 10 cases are of class 0; over 200 epochs half of the draws are of class 1 (standard error 0.011)."""
    cases = many_cases([0] * 9 + [1])
    batches = training(cases, weighted=True)
    drawn = [cases[number].label for epoch in range(200) for batch in batches.order(epoch) for number, _ in batch]
    assert len(drawn) == 2000
    assert abs(np.mean(drawn) - 0.5) < 0.05


def test_weighted_sampling_of_survival_goes_by_time_bin():
    batches = TrainingBatches(
        BagDataset(CASES, {}), batch_size=1, weighted=True, seed_of_epoch=lambda e: e, loader=LOADER
    )
    np.testing.assert_allclose(batches.weights, [0.5, 0.25, 0.25])


def test_the_loader_follows_the_epoch(paths):
    def epoch_slides(num_workers: int, epoch: int) -> list[tuple[str, ...]]:
        batches = TrainingBatches(
            BagDataset(CASES, paths, max_patches=2),
            batch_size=1,
            weighted=False,
            seed_of_epoch=lambda e: e,
            loader=loader_arguments(num_workers=num_workers, pin_memory=False),
        )
        return [(batch.slide_ids, batch.features.sum().item()) for batch in batches.epoch(epoch)]

    assert [epoch_slides(0, e) for e in (1, 2, 3)] == [epoch_slides(2, e) for e in (1, 2, 3)]
    assert len({str(epoch_slides(0, e)) for e in range(6)}) > 1


def test_reading_does_not_move_the_global_generator(paths):
    """Dropout is drawn from it: a run with worker processes must repeat a run without them."""
    batches = TrainingBatches(
        BagDataset(CASES, paths), batch_size=1, weighted=False, seed_of_epoch=lambda e: e, loader=LOADER
    )
    torch.manual_seed(0)
    before = torch.get_rng_state()
    list(batches.epoch(1))
    assert torch.equal(torch.get_rng_state(), before)


def test_outcomes_by_task():
    assert set(outcomes_of(CASES)) == {"bin", "censored", "time"}
    assert outcomes_of(many_cases([1, 0]))["label"].tolist() == [1, 0]
