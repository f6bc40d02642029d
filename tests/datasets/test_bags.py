"""Bags and ragged batches against what was written to disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from datasets.bags import BagDataset, collate, outcomes_of
from datasets.folds.cases import Case
from datasets.slides.features import read_slide, write_slide

SIZES = {"a1": 3, "a2": 1, "b1": 5, "c1": 2}
CASES = (
    Case("a", ("a1", "a2"), time=3.5, censored=1, bin=0),
    Case("b", ("b1",), time=7.0, censored=0, bin=1),
    Case("c", ("c1",), time=9.0, censored=0, bin=1),
)


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
    dataset = BagDataset(CASES, paths)
    batch = collate([dataset[0], dataset[1]])
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


def test_slide_anchors_come_slide_by_slide(paths):
    anchors = {slide_id: torch.full((2, 4), float(i)) for i, slide_id in enumerate(SIZES)}
    dataset = BagDataset(CASES, paths, read_anchors=anchors.__getitem__)
    batch = collate([dataset[0], dataset[2]])
    assert torch.equal(batch.anchors, torch.stack([anchors["a1"], anchors["a2"], anchors["c1"]]))


def test_a_slide_without_coordinates_leaves_the_batch_without(features, paths, tmp_path):
    write_slide(tmp_path / "plain.pt", features["c1"])
    dataset = BagDataset(CASES, {**paths, "c1": tmp_path / "plain.pt"})
    assert collate([dataset[0]]).coords is not None
    batch = collate([dataset[0], dataset[2]])
    assert batch.coords is None
    of_slides = {slide.slide_id: slide.coords for slide in batch.slides()}
    assert of_slides["plain"] is None
    assert torch.equal(of_slides["a2"], torch.arange(2).reshape(-1, 2))  # each slide keeps its own


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


def test_the_features_of_one_slide_are_not_copied(paths):
    bag = BagDataset(CASES, paths)[1]
    batch = collate([bag])
    assert batch.features.data_ptr() == bag.slides[0].features.data_ptr()
    assert batch.coords.data_ptr() == bag.slides[0].coords.data_ptr()
    assert batch.slide_index.tolist() == [0] * 5


def test_slides_are_read_by_the_reader_that_is_given(features, paths):
    read = []
    dataset = BagDataset(CASES, paths, read=lambda path: read.append(path) or read_slide(path))
    assert torch.equal(dataset[2].slides[0].features, features["c1"])
    assert read == [paths["c1"]]


def test_outcomes_by_task():
    assert set(outcomes_of(CASES)) == {"bin", "censored", "time"}
    assert outcomes_of(many_cases([1, 0]))["label"].tolist() == [1, 0]
