"""Attributes are read by their names, and those that nobody uses are left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from datasets.slides import h5_attributes
from datasets.slides.features import read_header, read_slide
from datasets.slides.h5_attributes import text_attribute, told_of_patches
from datasets.slides.h5_datasets import find_dataset
from datasets.slides.h5_opened import opened_h5
from utils.errors import UserError

COORDS = np.arange(80).reshape(40, 2)


def write(path: Path, of_file: dict[str, Any], of_coords: dict[str, Any]) -> Path:
    with h5py.File(path, "w") as file:
        file["features"], file["coords"] = np.ones((40, 8), dtype="f4"), COORDS
        file.attrs.update(of_file)
        file["coords"].attrs.update(of_coords)
    return path


def test_those_of_coords_count_before_those_of_the_file(tmp_path: Path):
    path = write(tmp_path / "s.h5", {"mpp": 0.5, "patch_size": 256}, {"mpp": 0.25, "downsample": np.array([2, 2])})
    assert read_slide(path).attributes == {"mpp": 0.25, "patch_size": 256.0, "downsample": 2.0}


def test_only_those_in_use_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    unused = {"name": "slide", "hash": 1, "times": np.arange(5000), "patch_sizes": 3}
    path = write(tmp_path / "s.h5", unused, {**unused, "mpp": 0.25})
    opened = []
    real = h5py.h5a.open

    def noted(place: Any, name: bytes, *args: Any, **options: Any) -> Any:
        opened.append(name)
        return real(place, name, *args, **options)

    monkeypatch.setattr(h5_attributes.h5py.h5a, "open", noted)
    assert read_header(path).attributes == {"mpp": 0.25}
    assert set(opened) == {b"mpp"}


@pytest.mark.parametrize(
    "value",
    [h5py.Empty("f8"), np.zeros(0), np.zeros(5000), "256", True, np.array([1.0, 2.0]), float("nan"), 1 + 2j, b"\xff"],
    ids=str,
)
def test_what_is_not_one_number_is_left_out(tmp_path: Path, value: Any):
    assert read_slide(write(tmp_path / "s.h5", {}, {"patch_size": value, "mpp": 0.25})).attributes == {"mpp": 0.25}


@pytest.mark.parametrize("value", [5, h5py.Empty("f8"), np.zeros(3)])
def test_a_unit_that_is_no_text_is_none(tmp_path: Path, value: Any):
    slide = read_slide(write(tmp_path / "s.h5", {"unit": value}, {}))
    assert slide.coords.tolist() == COORDS.tolist()
    assert slide.attributes == {}


@pytest.mark.parametrize("value", ["um", b"um", np.bytes_("um")])
def test_texts_of_any_kind(tmp_path: Path, value: Any):
    path = write(tmp_path / "s.h5", {"unit": value}, {})
    assert read_slide(path).attributes == {"coords_micrometres": 1.0}
    with opened_h5(path) as file:
        assert text_attribute(file, "unit", path) == "um"
        assert text_attribute(file, "extractor", path) is None


def test_features_of_a_slide_are_known_by_either_kind_of_text(tmp_path: Path):
    for value in ("slide", b"slide"):
        with pytest.raises(UserError, match="features of a whole slide"):
            read_slide(write(tmp_path / "s.h5", {"feat_type": value}, {}))


def test_one_that_cannot_be_read_is_named(tmp_path: Path):
    """The version of its message in the header becomes one that does not exist."""
    path = write(tmp_path / "s.h5", {}, {"mpp": 0.25})
    content = bytearray(path.read_bytes())
    place = content.index(b"mpp\x00") - 8
    assert content[place] == 1
    content[place] = 77
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"s\.h5 cannot be read as HDF5"):
        read_slide(path)


def test_one_that_fails_when_it_is_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = write(tmp_path / "s.h5", {}, {"mpp": 0.25})

    def fails(*args: Any, **options: Any) -> None:
        raise RuntimeError("bad heap")

    monkeypatch.setattr(h5_attributes.h5py.h5a, "open", fails)
    with opened_h5(path) as file, pytest.raises(UserError, match=r"s\.h5 cannot be read .*attribute 'mpp': bad heap"):
        told_of_patches(file, find_dataset(file, "coords", path), path)
