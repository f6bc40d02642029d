"""Sizes of patches from attributes and from coordinates."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from datasets.slides.features import SlideFeatures, read_slide
from datasets.slides.patch_geometry import PatchGeometry, patch_geometry, usual_spacing

GRID = torch.tensor([[0, 0], [256, 0], [512, 0], [0, 256], [512, 256]])


def slide(coords: torch.Tensor | None, **attributes: float) -> SlideFeatures:
    n_patches = 1 if coords is None else len(coords)
    return SlideFeatures("s", torch.zeros(n_patches, 2), coords, attributes)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"patch_size_level0": 448.0}, (448, "attribute patch_size_level0", None)),
        (
            {"patch_size_level0": 448.0, "patch_size": 224.0, "downsample": 1.0},
            (448, "attribute patch_size_level0", None),
        ),
        ({"patch_size": 256.0, "downsample": 4.0}, (1024, "attributes patch_size and downsample", None)),
        ({"patch_size": 256.0, "mpp": 0.25}, (256, "spacing of the patches", 0.25, "attribute mpp")),
        ({"level0_mpp": 0.5}, (256, "spacing of the patches", 0.5, "attribute level0_mpp")),
        ({"mpp": 0.0}, (256, "spacing of the patches", None)),
    ],
)
def test_what_the_file_says_comes_first(attributes: dict, expected: tuple):
    assert patch_geometry(slide(GRID, **attributes)) == PatchGeometry(*expected)


def test_why_there_is_no_size():
    assert patch_geometry(slide(None)).source == "the feature file has no coords"
    lonely = patch_geometry(slide(torch.tensor([[5, 5], [300, 400]])))
    assert lonely.size is None
    assert "no two patches lie in one row or column" in lonely.source


def test_the_usual_spacing_is_that_of_a_loop_over_neighbours():
    """Two pieces of tissue, each on a grid of 100 with an origin of its own, and holes."""
    rng = np.random.default_rng(0)
    cells = np.stack(np.meshgrid(np.arange(8), np.arange(6)), axis=-1).reshape(-1, 2) * 100
    both = np.concatenate([cells, cells + np.array([737, 0])])
    coords = both[rng.permutation(len(both))[:80]]
    gaps = []
    for one in coords:
        for axis in (0, 1):
            ahead = [p[axis] - one[axis] for p in coords if p[1 - axis] == one[1 - axis] and p[axis] > one[axis]]
            gaps += [min(ahead)] if ahead else []
    values, counts = np.unique(gaps, return_counts=True)
    assert usual_spacing(coords) == values[counts.argmax()] == 100
    assert 37 in values  # the gap between the two grids, which is no size of a patch


def test_clam_writes_one_downsample_for_each_direction(tmp_path: Path):
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["features"] = np.zeros((5, 3), dtype=np.float32)
        coords = file.create_dataset("coords", data=GRID.numpy())
        coords.attrs.update({"patch_size": 256, "patch_level": 1, "downsample": np.array([4.0, 4.0]), "name": "s"})
        coords.attrs["level_dim"] = np.array([300, 200])
    read = read_slide(tmp_path / "s.h5")
    assert read.attributes == {"patch_size": 256.0, "patch_level": 1.0, "downsample": 4.0}
    assert patch_geometry(read).size == 1024
