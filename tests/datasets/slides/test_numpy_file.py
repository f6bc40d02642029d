"""What is special about .npy and .npz: memory maps, memory orders, attributes, arrays that are none."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from datasets.slides import numpy_file
from datasets.slides.features import read_rows, read_shape, read_slide
from datasets.slides.numpy_file import begin_of_array, load_array, load_npy, load_npz
from utils.errors import UserError

VALUES = np.random.default_rng(0).standard_normal((50, 6)).astype(np.float32)
ROWS = np.array([0, 3, 4, 49])


@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_arrays_that_are_not_compressed_are_mapped_and_their_rows_found(tmp_path: Path, ending: str):
    path = tmp_path / f"s.{ending}"
    np.save(path, VALUES) if ending == "npy" else np.savez(path, coords=np.zeros((50, 2)), features=VALUES)
    features = (load_npy if ending == "npy" else load_npz)(path).features
    begin = begin_of_array(path, features)
    assert begin is not None
    assert path.read_bytes()[begin : begin + VALUES.nbytes] == VALUES.tobytes()
    features.zero_()  # copy on write
    assert torch.equal(read_slide(path).features, torch.from_numpy(VALUES))


@pytest.mark.parametrize("ending", ["npy", "npz"])
@pytest.mark.parametrize("order", ["F", ">f4", "batch"])
def test_other_orders_of_memory_give_the_same_rows(tmp_path: Path, ending: str, order: str):
    values = {"F": np.asfortranarray(VALUES), ">f4": VALUES.astype(">f4"), "batch": VALUES[None]}[order]
    path = tmp_path / f"s.{ending}"
    np.save(path, values) if ending == "npy" else np.savez_compressed(path, features=values)
    assert torch.equal(read_slide(path).features, torch.from_numpy(VALUES))
    assert torch.equal(read_rows(path, ROWS), torch.from_numpy(VALUES[ROWS]))
    assert read_shape(path) == (50, 6)


def test_single_numbers_are_attributes(tmp_path: Path):
    extra = {"patch_size_level0": np.int64(448), "mpp": np.array([0.25]), "encoder": np.array("uni"), "w": np.arange(3)}
    np.savez(tmp_path / "s.npz", features=VALUES, coords=np.zeros((50, 2)), **extra)
    assert read_slide(tmp_path / "s.npz").attributes == {"patch_size_level0": 448.0, "mpp": 0.25}


def test_an_archive_without_features_names_what_it_holds(tmp_path: Path):
    np.savez(tmp_path / "s.npz", embeddings=VALUES, coords=np.zeros((50, 2)))
    with pytest.raises(UserError, match=r"no array 'features' \(found embeddings, coords\)"):
        read_slide(tmp_path / "s.npz")


def test_a_header_that_promises_more_than_the_file_has_is_refused(tmp_path: Path):
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": "<f4", "fortran_order": False, "shape": (10**15, 1024)})
    (tmp_path / "s.npy").write_bytes(content.getvalue())
    with pytest.raises(UserError, match=r"0 bytes of numbers where the header says 4096000000000000000"):
        read_shape(tmp_path / "s.npy")
    np.savez(tmp_path / "s.npz", features=np.zeros((5000, 6), dtype=np.float32))
    whole = (tmp_path / "s.npz").read_bytes()
    (tmp_path / "s.npz").write_bytes(whole.replace(b"(5000, 6)", b"(9000, 6)"))
    with pytest.raises(UserError, match=r"120000 bytes of numbers where the header says 216000"):
        read_shape(tmp_path / "s.npz")


def test_an_array_of_named_fields_is_refused(tmp_path: Path):
    np.save(tmp_path / "s.npy", np.zeros(3, dtype=[("x", "f4"), ("y", "f4")]))
    with pytest.raises(UserError, match=r"s\.npy holds features of type \[\('x', '<f4'\), \('y', '<f4'\)\]"):
        read_slide(tmp_path / "s.npy")


def test_npy_versions(tmp_path: Path):
    path = tmp_path / "s.npy"
    for version in ((1, 0), (2, 0), (3, 0)):
        with path.open("wb") as file:
            np.lib.format.write_array(file, VALUES, version=version)
        assert torch.equal(read_slide(path).features, torch.from_numpy(VALUES))
    whole = path.read_bytes()
    path.write_bytes(whole[:6] + struct.pack("BB", 4, 0) + whole[8:])
    with pytest.raises(UserError, match=r"s\.npy is of npy version 4\.0: expected 1, 2 and 3; save the array again"):
        read_slide(path)


def test_an_archive_that_is_replaced_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "s.npz"
    np.savez(path, features=VALUES)

    def read_and_replace(path: Path, names: Sequence[str]) -> np.ndarray:
        array = load_array(path, names)
        path.unlink()
        path.write_bytes(b"half of an archive")
        return array

    monkeypatch.setattr(numpy_file, "load_array", read_and_replace)
    with pytest.raises(UserError, match=r"s\.npz .*File is not a zip file"):
        load_npz(path)
