"""Coordinates of the versions of STAMP, from files with the attributes that each writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from datasets.slides.features import SlideFeatures, read_shape, read_slide
from datasets.slides.patch_geometry import patch_geometry, physical_patch_size
from utils.errors import UserError

CELLS = np.stack([np.arange(20) % 5, np.arange(20) // 5], axis=1)


def write_stamp(path: Path, coords: np.ndarray, feats: tuple[int, ...] = (20, 8), **attributes: Any) -> Path:
    with h5py.File(path, "w") as file:
        file["coords"], file["feats"] = coords, np.ones(feats, dtype=np.float16)
        file.attrs.update({"extractor": "chief-ctranspath", **attributes})
    return path


def coords_of(slide: SlideFeatures) -> np.ndarray:
    assert slide.coords is not None
    return slide.coords.numpy()


@pytest.mark.parametrize(
    "size", [{"tile_size_um": 256.0, "tile_size_px": 224}, {"tile_size": 256.0}], ids=["2.1", "2.0"]
)
def test_micrometres_stay_where_no_scale_is_told(tmp_path: Path, size: dict[str, Any]):
    path = write_stamp(tmp_path / "s.h5", (CELLS * 256).astype("f4"), unit="um", stamp_version="2.1.0", **size)
    slide = read_slide(path)
    np.testing.assert_array_equal(coords_of(slide), CELLS * 256)
    geometry = patch_geometry(slide)
    assert (geometry.size, geometry.mpp, geometry.in_micrometres) == (256, 1.0, True)
    assert geometry.source == "attribute tile_size_um, coordinates in micrometres"
    assert physical_patch_size(slide) == 256


def test_micrometres_become_level0_pixels_with_a_scale(tmp_path: Path):
    """512 pixels of 0.5 micrometres are 256 micrometres."""
    path = write_stamp(tmp_path / "s.h5", (CELLS * 256).astype("f4"), unit="um", tile_size_um=256.0, mpp=0.5)
    slide = read_slide(path)
    np.testing.assert_array_equal(coords_of(slide), CELLS * 512)
    geometry = patch_geometry(slide)
    assert (geometry.size, geometry.mpp, geometry.in_micrometres) == (512, 0.5, False)
    assert physical_patch_size(slide) == 256


def test_version_1_has_pixels_of_its_own(tmp_path: Path):
    """Its slides were scaled so that 224 pixels are 256 micrometres."""
    slide = read_slide(write_stamp(tmp_path / "s.h5", CELLS * 224))
    np.testing.assert_array_equal(coords_of(slide), CELLS * 256)
    assert patch_geometry(slide).in_micrometres


def test_other_files_with_feats_are_in_level0_pixels(tmp_path: Path):
    slide = read_slide(write_stamp(tmp_path / "s.h5", CELLS * 512))
    np.testing.assert_array_equal(coords_of(slide), CELLS * 512)
    assert not patch_geometry(slide).in_micrometres
    with h5py.File(tmp_path / "s.h5", "a") as file:
        del file.attrs["extractor"]
        file["coords"][...] = CELLS * 224
    np.testing.assert_array_equal(coords_of(read_slide(tmp_path / "s.h5")), CELLS * 224)


def test_features_of_a_whole_slide_are_refused(tmp_path: Path):
    path = write_stamp(tmp_path / "s.h5", CELLS * 256, feats=(1, 768), feat_type="slide", unit="um")
    for read in (read_slide, read_shape):
        with pytest.raises(UserError, match=r"s\.h5 holds features of a whole slide \(feat_type\): give the folder"):
            read(path)


def test_coords_of_another_shape_are_refused(tmp_path: Path):
    with pytest.raises(UserError, match=r"coords of shape \(3, 2\) for 20 patches"):
        read_slide(write_stamp(tmp_path / "s.h5", CELLS[:3] * 256, unit="um", tile_size_um=256.0))
