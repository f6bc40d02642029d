"""Bags of slideflow: a tensor, and the centres of its tiles in a file beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from datasets.slides.features import find_slides, read_slide
from datasets.slides.patch_geometry import patch_geometry
from utils.errors import UserError

CENTRES = np.stack([np.arange(12) % 4, np.arange(12) // 4], axis=1) * 600 + 300


def write_bag(folder: Path, name: str = "TCGA-2F-A9KO.1955", n_patches: int = 12) -> Path:
    torch.save(torch.ones(n_patches, 5), folder / f"{name}.pt")
    return folder / f"{name}.pt"


@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_corners_are_around_the_centres(tmp_path: Path, kind: str):
    path = write_bag(tmp_path)
    index = path.with_suffix(f".index.{kind}")
    np.savez(index, CENTRES) if kind == "npz" else np.save(index, CENTRES)
    slide = read_slide(path)
    assert slide.coords is not None
    np.testing.assert_array_equal(slide.coords.numpy(), CENTRES - 300)
    assert patch_geometry(slide).size == 600
    assert find_slides([tmp_path]) == {"TCGA-2F-A9KO.1955": path}


def test_a_bag_without_an_index_has_no_coordinates(tmp_path: Path):
    assert read_slide(write_bag(tmp_path)).coords is None


def test_a_single_tile_lies_at_its_centre(tmp_path: Path):
    path = write_bag(tmp_path, n_patches=1)
    np.savez(path.with_suffix(".index.npz"), CENTRES[:1])
    slide = read_slide(path)
    assert slide.coords is not None
    assert slide.coords.tolist() == [[300, 300]]
    assert patch_geometry(slide).size is None


def test_an_index_of_another_bag_or_a_damaged_one_is_named(tmp_path: Path):
    path = write_bag(tmp_path, n_patches=7)
    index = path.with_suffix(".index.npz")
    np.savez(index, CENTRES)
    with pytest.raises(UserError, match=r"index\.npz holds tile locations of shape \(12, 2\) and .* shape \(7, 5\)"):
        read_slide(path)
    index.write_bytes(index.read_bytes()[:100])
    with pytest.raises(UserError, match=r"index\.npz cannot be read"):
        read_slide(path)
