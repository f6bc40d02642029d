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


OVERLAP = "patches overlap (256 apart, attribute {}) and no usable attribute tells their size"
BY_SPACING = (
    "the size of a patch is taken from their spacing (256 apart), since no usable attribute tells it: patches that "
    "overlap are larger"
)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"patch_size_level0": 256.0}, (256, "attribute patch_size_level0", None)),
        (
            {"patch_size_level0": 256.0, "patch_size": 224.0, "downsample": 1.0},
            (256, "attribute patch_size_level0", None),
        ),
        ({"patch_size": 64.0, "downsample": 4.0}, (256, "attributes patch_size and downsample", None)),
        ({"patch_size": 256.0, "mpp": 0.25}, (256, "spacing of the patches", 0.25, "attribute mpp", False, BY_SPACING)),
        ({"level0_mpp": 0.5}, (256, "spacing of the patches", 0.5, "attribute level0_mpp", False, BY_SPACING)),
        ({"mpp": 0.0}, (256, "spacing of the patches", None, None, False, BY_SPACING)),
        ({"mpp": 1e-300}, (256, "spacing of the patches", None, None, False, BY_SPACING)),
        ({"patch_size_level0": 1e300}, (256, "spacing of the patches", None, None, False, BY_SPACING)),
        ({"patch_size": 1e300, "downsample": 1e300}, (None, OVERLAP.format("patch_size 1e+300"), None)),
        ({"patch_size": 257.0}, (None, OVERLAP.format("patch_size 257"), None)),
        ({"patch_size": 224.0, "overlap": 64.0}, (None, OVERLAP.format("overlap 64"), None)),
        ({"patch_size": 224.0, "overlap": 0.0}, (256, "spacing of the patches", None, None, False, BY_SPACING)),
    ],
)
def test_what_the_file_says_comes_first(attributes: dict, expected: tuple):
    assert patch_geometry(slide(GRID, **attributes)) == PatchGeometry(*expected)


def test_what_the_user_says_comes_before_the_file():
    assert patch_geometry(slide(GRID), 512) == PatchGeometry(512, "--patch_size", None)
    told = slide(GRID, patch_size_level0=448.0, mpp=0.25)
    assert patch_geometry(told, 448) == PatchGeometry(448, "--patch_size", 0.25, "attribute mpp")
    assert patch_geometry(told, 512).doubt == "--patch_size 512 is used, where attribute patch_size_level0 says 448"
    assert patch_geometry(slide(GRID, patch_size=512.0), 512).size == 512  # overlapping, of unknown size otherwise
    micrometres = patch_geometry(slide(GRID, coords_micrometres=1.0, tile_size_um=256.0), 512)
    assert (micrometres.size, micrometres.source) == (256, "attribute tile_size_um, coordinates in micrometres")
    assert micrometres.doubt is not None
    assert micrometres.doubt.startswith("--patch_size is not used, since it is in level-0 pixels")


def test_patches_that_overlap_are_said_to():
    found = patch_geometry(slide(GRID, patch_size_level0=448.0))
    assert (found.size, found.source) == (448, "attribute patch_size_level0")
    assert found.doubt == "patches overlap (448 wide, 256 apart): where they do, maps show the one of higher attention"
    assert patch_geometry(slide(GRID, patch_size_level0=200.0)).doubt is None  # gaps between them


def test_spacings_that_differ_by_direction_are_both_named():
    """Patches that overlap in one direction, or have gaps in it: which, coordinates cannot tell."""
    coords = torch.tensor([[0, 0], [256, 0], [512, 0], [768, 0], [0, 128], [0, 256]])
    found = patch_geometry(slide(coords))
    assert (found.size, found.source) == (256, "spacing of the patches")
    assert found.doubt == BY_SPACING.replace("256 apart", "256 apart along x and 128 along y")


def test_a_spacing_beyond_any_slide_is_no_size():
    found = patch_geometry(slide(GRID * 10**9))
    assert (found.size, found.source) == (
        None,
        "no usable attribute tells the size of a patch, and patches are 256000000000 apart",
    )


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
    doubt = BY_SPACING.replace("256", "512")
    assert patch_geometry(untold) == expected._replace(size=512, source="spacing of the patches", doubt=doubt)


def test_micrometres_become_pixels_where_the_scale_is_given():
    pixels = in_level0_pixels(slide(GRID, coords_micrometres=1.0, tile_size_um=256.0), 0.5)
    assert pixels.coords is not None
    assert torch.equal(pixels.coords, GRID * 2)
    assert patch_geometry(pixels) == PatchGeometry(512, "attribute patch_size_level0", None)
    as_it_is = slide(GRID, patch_size_level0=256.0)
    assert in_level0_pixels(as_it_is, 0.5) is as_it_is
