"""Sizes of patches from attributes and from coordinates."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from datasets.slides.features import SlideFeatures, read_slide
from datasets.slides.patch_geometry import (
    PatchGeometry,
    in_level0_pixels,
    patch_geometry,
    physical_patch_size,
)

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


def test_clam_writes_one_downsample_for_each_direction(tmp_path: Path):
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["features"] = np.zeros((5, 3), dtype=np.float32)
        coords = file.create_dataset("coords", data=GRID.numpy())
        coords.attrs.update({"patch_size": 256, "patch_level": 1, "downsample": np.array([4.0, 4.0]), "name": "s"})
        coords.attrs["level_dim"] = np.array([300, 200])
    read = read_slide(tmp_path / "s.h5")
    assert read.attributes == {"patch_size": 256.0, "patch_level": 1.0, "downsample": 4.0}
    assert patch_geometry(read).size == 1024


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"patch_size_level0": 512.0, "mpp": 0.25}, 128.0),
        ({"patch_size": 256.0, "downsample": 2.0, "level0_mpp": 0.5}, 256.0),
        ({"patch_size_level0": 512.0}, None),
        ({"mpp": 0.25}, None),  # the spacing of the patches is no attribute
        ({"coords_micrometres": 1.0, "tile_size_um": 256.0}, 256.0),
        ({"coords_micrometres": 1.0}, None),
    ],
)
def test_the_physical_size_is_told_by_attributes_alone(attributes: dict, expected: float | None):
    assert physical_patch_size(slide(GRID, **attributes)) == expected


def test_coordinates_in_micrometres_have_a_size_and_a_scale():
    told = slide(GRID, coords_micrometres=1.0, tile_size_um=256.0, mpp=0.0)
    source = "attribute tile_size_um, coordinates in micrometres"
    expected = PatchGeometry(256, source, 1.0, "coordinates in micrometres", in_micrometres=True)
    assert patch_geometry(told) == expected
    untold = slide(GRID * 2, coords_micrometres=1.0)
    assert patch_geometry(untold) == expected._replace(size=512, source="spacing of the patches")


def test_micrometres_become_pixels_where_the_scale_is_given():
    pixels = in_level0_pixels(slide(GRID, coords_micrometres=1.0, tile_size_um=256.0), 0.5)
    assert pixels.coords is not None
    assert torch.equal(pixels.coords, GRID * 2)
    assert patch_geometry(pixels) == PatchGeometry(512, "attribute patch_size_level0", None)
    as_it_is = slide(GRID, patch_size_level0=256.0)
    assert in_level0_pixels(as_it_is, 0.5) is as_it_is
