"""What is special about .npy and .npz: memory maps, memory orders, attributes, arrays that are none."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datasets.slides import numpy_file
from datasets.slides.features import read_rows, read_shape, read_slide
from datasets.slides.numpy_file import _unpacked, begin_of_array, load_array, load_npy, load_npz
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


def test_a_compressed_array_of_far_more_than_its_bytes_is_refused_before_it_is_unpacked(tmp_path: Path):
    """Deflate makes a thousandth of zeros."""
    path = tmp_path / "s.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("features.npy", "w") as record:
        np.lib.format.write_array_header_1_0(record, {"descr": "<f4", "fortran_order": False, "shape": (25_000, 768)})
        for _ in range(25):
            record.write(bytes(1000 * 768 * 4))
    for read in (read_slide, read_shape):
        with pytest.raises(UserError, match=r"shape \(25000, 768\), 76,800,000 bytes, in .* compressed ones: .*savez"):
            read(path)


def test_zeros_of_a_size_that_does_no_harm_are_read(tmp_path: Path):
    np.savez_compressed(tmp_path / "s.npz", features=np.zeros((5000, 768), dtype=np.float32))
    assert read_shape(tmp_path / "s.npz") == (5000, 768)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_array_that_ends_before_the_size_that_the_archive_declares_is_refused(tmp_path: Path, compression: int):
    """Its last rows would be zeros, or what lies behind it in the file."""
    content = io.BytesIO()
    np.save(content, VALUES)
    whole = content.getvalue()
    with zipfile.ZipFile(tmp_path / "s.npz", "w", compression) as archive:
        archive.writestr("features.npy", whole[:-24])
        archive.writestr("more.npy", whole)
    written = (tmp_path / "s.npz").read_bytes()
    at = written.index(b"PK\x01\x02") + 24  # of the size, in the directory
    (tmp_path / "s.npz").write_bytes(written[:at] + len(whole).to_bytes(4, "little") + written[at + 4 :])
    with pytest.raises(UserError, match=r"s\.npz cannot be read as a file of numpy .*(bytes of numbers|another size)"):
        read_slide(tmp_path / "s.npz")


def test_coords_of_another_length_are_refused_before_they_are_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    np.savez_compressed(tmp_path / "s.npz", features=VALUES, coords=np.zeros((10**6, 2)))
    unpacked = []

    def note(content: Any, header: Any, *rest: Any) -> np.ndarray:
        unpacked.append(header.shape)
        return _unpacked(content, header, *rest)

    monkeypatch.setattr(numpy_file, "_unpacked", note)
    with pytest.raises(UserError, match=r"coords of shape \(1000000, 2\) for 50 patches: expected \(50, 2\)"):
        read_slide(tmp_path / "s.npz")
    assert unpacked == [(50, 6)]


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_two_arrays_of_one_name_are_refused(tmp_path: Path):
    np.savez(tmp_path / "s.npz", features=VALUES)
    with zipfile.ZipFile(tmp_path / "s.npz", "a") as archive:
        archive.writestr("features.npy", b"another")
    with pytest.raises(UserError, match=r"s\.npz cannot be read .*2 arrays of the name 'features'"):
        read_slide(tmp_path / "s.npz")


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_that_numpy_does_not_write_are_refused(tmp_path: Path, compression: int):
    content = io.BytesIO()
    np.save(content, VALUES)
    with zipfile.ZipFile(tmp_path / "s.npz", "w", compression) as archive:
        archive.writestr("features.npy", content.getvalue())
    with pytest.raises(UserError, match="compressed in a way that numpy does not write"):
        read_slide(tmp_path / "s.npz")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"{'descr': '<f4', 'fortran_order': False, 'shape': (" + b"9" * 400 + b", 6)}", "cannot be read as a file of"),
        (b"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", "where the header says"),
        (b"{'descr': '<f4', 'fortran_order': False, 'shape': (-50, -6)}", "where the header says"),
        (b"{'descr': '|V1000000000', 'fortran_order': False, 'shape': (1, 1)}", "where the header says"),
        (b"{'descr': '|O', 'fortran_order': False, 'shape': (50, 6)}", "holds Python objects"),
        (b"{'descr': '\xff\xfe', 'fortran_order': False, 'shape': (50, 6)}", "cannot be read as a file of numpy"),
        (b"(" * 5000, "cannot be read as a file of numpy"),
        (b"{'descr': " + b"[" * 200 + b"]" * 200 + b"}", "cannot be read as a file of numpy"),
        (b"{'shape': (50, 6)", "cannot be read as a file of numpy"),
    ],
    ids=range(9),
)
def test_headers_that_cannot_be_right(tmp_path: Path, header: bytes, said: str):
    for version, length in ((1, struct.pack("<H", len(header) + 1)), (3, struct.pack("<I", len(header) + 1))):
        start = b"\x93NUMPY" + bytes([version, 0]) + length + header + b"\n"
        (tmp_path / "s.npy").write_bytes(start + VALUES.tobytes())
        with pytest.raises(UserError, match=said) as raised:
            read_slide(tmp_path / "s.npy")
        assert "\n" not in str(raised.value)
