"""Rows read from where they lie in the file against the same rows read by h5py."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.slides.features import open_slide, read_rows, read_shape, read_slide
from datasets.slides.h5_chunks import Stretches, find_stretches, read_stretches
from datasets.slides.h5_datasets import find_dataset
from datasets.slides.h5_file import load_h5, open_h5
from datasets.slides.h5_opened import opened_h5
from utils.errors import UserError


def numbers(n_patches: int, width: int, dtype: str = "f4") -> np.ndarray:
    return np.random.default_rng(n_patches * width).standard_normal((n_patches, width)).astype(dtype)


def found_in(path: Path, name: str) -> Stretches | None:
    with opened_h5(path) as file:
        return find_stretches(find_dataset(file, name, path))


def append(path: Path, features: np.ndarray, *, batch: int, chunk_rows: int = 1) -> np.ndarray:
    """Write a file as CLAM and TRIDENT do: batches of features and coords in turn, each appended to its dataset."""
    coords = np.arange(2 * len(features)).reshape(-1, 2)
    with h5py.File(path, "w") as file:
        for name, values in (("features", features), ("coords", coords)):
            shape, chunks = (0, values.shape[1]), (chunk_rows, values.shape[1])
            file.create_dataset(name, shape=shape, maxshape=(None, *shape[1:]), chunks=chunks, dtype=values.dtype)
        for start in range(0, len(features), batch):
            for name, values in (("features", features), ("coords", coords)):
                dataset = file[name]
                part = values[start : start + batch]
                dataset.resize(len(dataset) + len(part), axis=0)
                dataset[-len(part) :] = part
        file["coords"].attrs["patch_size_level0"] = 512
    return coords


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("chunk_rows", [1, 3, 64])
@pytest.mark.parametrize("n_patches", [1, 2, 63, 64, 65, 500])
def test_a_file_as_clam_writes_it_reads_as_by_h5py(tmp_path, n_patches, chunk_rows, dtype):
    features, path = numbers(n_patches, 5, dtype), tmp_path / "s.h5"
    coords = append(path, features, batch=32, chunk_rows=chunk_rows)
    assert found_in(path, "features") is not None
    assert found_in(path, "coords") is not None
    slide = read_slide(path)
    assert torch.equal(slide.features, torch.from_numpy(features))
    assert torch.equal(slide.coords, torch.from_numpy(coords))
    assert slide.attributes == {"patch_size_level0": 512.0}


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_rows_are_the_rows_of_the_array(tmp_path_factory, data):
    n_patches = data.draw(st.integers(1, 90))
    features = numbers(n_patches, data.draw(st.integers(1, 4)), "f2")
    path = tmp_path_factory.mktemp("rows") / "s.h5"
    append(path, features, batch=data.draw(st.integers(1, 40)), chunk_rows=data.draw(st.integers(1, 5)))
    rows = np.array(sorted(data.draw(st.sets(st.integers(0, n_patches - 1)))), dtype=np.int64)
    assert torch.equal(read_rows(path, rows), torch.from_numpy(features[rows]))
    with opened_h5(path) as file:  # whatever their number, not only where it pays
        dataset = find_dataset(file, "features", path)
        np.testing.assert_array_equal(read_stretches(dataset, find_stretches(dataset), rows), features[rows])


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_every_kind_of_chunk_index(tmp_path, libver):
    """The newer format has other indexes for one chunk, a fixed number, one and several unlimited dimensions."""
    features = numbers(30, 4)
    kinds: list[dict[str, Any]] = [
        {"chunks": (30, 4)},
        {"chunks": (1, 4)},
        {"chunks": (1, 4), "maxshape": (None, 4)},
        {"chunks": (7, 4), "maxshape": (None, None)},
    ]
    for options in kinds:
        path = tmp_path / "s.h5"
        with h5py.File(path, "w", libver=libver) as file:
            file.create_dataset("features", data=features, **options)
        assert found_in(path, "features") is not None, options
        assert torch.equal(load_h5(path)[0], torch.from_numpy(features)), options


def test_a_leading_one_keeps_its_shape(tmp_path):
    features = numbers(40, 4)
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file.create_dataset("features", data=features[None], chunks=(1, 1, 4))
    assert found_in(tmp_path / "s.h5", "features") is not None
    assert load_h5(tmp_path / "s.h5")[0].shape == (1, 40, 4)
    assert torch.equal(read_slide(tmp_path / "s.h5").features, torch.from_numpy(features))
    rows = np.arange(0, 40, 3)
    assert torch.equal(read_rows(tmp_path / "s.h5", rows), torch.from_numpy(features[rows]))


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "gzip"},
        {"compression": "lzf"},
        {"shuffle": True},
        {"fletcher32": True},
        {"chunks": (1, 2)},
        {"dtype": ">f4"},
    ],
    ids=str,
)
def test_what_only_hdf5_can_tell_is_read_by_it(tmp_path, options):
    features, path = numbers(40, 4), tmp_path / "s.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("features", data=features, **{"chunks": (1, 4), **options})
    assert found_in(path, "features") is None
    assert torch.equal(read_slide(path).features, torch.from_numpy(features))
    rows = np.arange(1, 40, 2)
    assert torch.equal(read_rows(path, rows), torch.from_numpy(features[rows]))


def test_a_file_behind_a_user_block_is_read_by_hdf5(tmp_path):
    for options in ({}, {"chunks": (1, 4)}):
        path = tmp_path / "s.h5"
        with h5py.File(path, "w", userblock_size=512) as file:
            file.create_dataset("features", data=numbers(20, 4), **options)
        assert torch.equal(read_slide(path).features, torch.from_numpy(numbers(20, 4)))


def test_numbers_of_a_type_that_numpy_lacks_are_converted_by_hdf5(tmp_path):
    """bfloat16 as HDF5 can hold it: h5py shows it as float32, but in the file a number has two bytes."""
    kind = h5py.h5t.IEEE_F32LE.copy()
    kind.set_fields(15, 7, 8, 0, 7)
    kind.set_size(2)
    kind.set_ebias(127)
    for chunks in (None, (1, 4)):
        path = tmp_path / "s.h5"
        with h5py.File(path, "w") as file:
            plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            if chunks:
                plist.set_chunk(chunks)
            space = h5py.h5s.create_simple((6, 4))
            dataset = h5py.Dataset(h5py.h5d.create(file.id, b"features", kind, space, plist))
            dataset[...] = np.arange(24, dtype="f4").reshape(6, 4)
        assert torch.equal(read_slide(path).features, torch.arange(24.0).reshape(6, 4))


def test_a_file_written_again_is_looked_up_again(tmp_path):
    path = tmp_path / "s.h5"
    for batch in (4, 9, 16):
        append(path, numbers(40, 4) + batch, batch=batch)
        assert torch.equal(read_slide(path).features, torch.from_numpy(numbers(40, 4) + batch))


def test_a_chunk_past_the_end_of_the_file_is_a_data_error(tmp_path):
    path = tmp_path / "s.h5"
    append(path, numbers(40, 4), batch=40)
    with h5py.File(path) as file:
        offset = file["features"].id.get_chunk_info(7).byte_offset
    content = path.read_bytes()
    assert content.count(struct.pack("<Q", offset)) == 1
    path.write_bytes(content.replace(struct.pack("<Q", offset), struct.pack("<Q", 1 << 40)))
    for read in (read_slide, load_h5, lambda p: read_rows(p, np.arange(40))):
        with pytest.raises(UserError, match=r"s\.h5 cannot be read as HDF5 \(the file ends before byte"):
            read(path)


def test_a_truncated_file_is_a_data_error(tmp_path):
    path = tmp_path / "s.h5"
    append(path, numbers(400, 16), batch=50)
    content = path.read_bytes()
    assert read_shape(path) == (400, 16)
    for size in (len(content) - 1, len(content) - 64, len(content) // 2, 100):
        path.write_bytes(content[:size])
        with pytest.raises(UserError, match="cannot be read as HDF5"):
            read_slide(path)


def test_a_file_that_shrinks_while_it_is_open_is_a_data_error(tmp_path):
    path = tmp_path / "s.h5"
    for options in ({}, {"chunks": (1, 4)}, {"chunks": (8, 4), "compression": "gzip"}):
        with h5py.File(path, "w") as file:
            file.create_dataset("features", data=numbers(4000, 4), **options)
        with open_slide(path) as slide:
            assert torch.equal(slide.load_rows(np.array([0])), torch.from_numpy(numbers(4000, 4)[:1]))
            os.truncate(path, 5000)
            with pytest.raises(UserError, match=r"s\.h5 cannot be read as HDF5"):
                slide.load_rows(np.arange(4000))


@pytest.mark.parametrize("chunks", [None, (1, 4)])
def test_a_file_that_is_replaced_while_it_is_open_is_read_to_its_end(tmp_path, chunks):
    """Rows of the new file in the places of the old one would be wrong numbers without a word."""
    path = tmp_path / "s.h5"
    for name, n_patches in (("s.h5", 40), ("new.h5", 90)):
        with h5py.File(tmp_path / name, "w") as file:
            file["other"] = numbers(n_patches, 7)
            file.create_dataset("features", data=numbers(n_patches, 4), chunks=chunks)
    with open_slide(path) as slide:
        (tmp_path / "new.h5").replace(path)
        for rows in (np.array([3, 7]), np.arange(40)):
            assert torch.equal(slide.load_rows(rows), torch.from_numpy(numbers(40, 4)[rows]))
    assert torch.equal(read_slide(path).features, torch.from_numpy(numbers(90, 4)))


def test_a_map_is_of_the_file_that_was_checked(tmp_path):
    path = tmp_path / "s.h5"
    for name in ("s.h5", "new.h5"):
        with h5py.File(tmp_path / name, "w") as file:
            file["features"] = numbers(40, 4)
    with open_h5(path) as slide:
        (tmp_path / "new.h5").replace(path)
        with pytest.raises(UserError, match=r"s\.h5 was replaced while it was read"):
            slide.read_all()


def test_a_map_holds_no_lock(tmp_path):
    path = tmp_path / "s.h5"
    with h5py.File(path, "w") as file:
        file["features"] = numbers(40, 4)
    slide = read_slide(path)
    with h5py.File(path, "a") as file:  # would wait for the lock of another reader
        file["more"] = 1
    assert torch.equal(slide.features, torch.from_numpy(numbers(40, 4)))


def test_an_index_that_names_a_chunk_twice_is_a_data_error(tmp_path):
    """The corner of the second chunk becomes that of the first: row 1 was never written."""
    path = tmp_path / "s.h5"
    append(path, numbers(40, 4), batch=40)
    content = path.read_bytes()
    with h5py.File(path) as file:
        place = file["features"].id.get_chunk_info(1).byte_offset
    key = content.index(struct.pack("<Q", place)) - 24  # the corner lies before the address: row, column, 0
    assert struct.unpack("<QQQ", content[key : key + 24]) == (1, 0, 0)
    path.write_bytes(content[:key] + struct.pack("<Q", 0) + content[key + 8 :])
    with pytest.raises(UserError, match=r"s\.h5 (lacks numbers: rows 1 of 40|cannot be read as HDF5)"):
        read_slide(path)


@pytest.mark.parametrize("size", [0, 3])
@pytest.mark.parametrize("read", [read_slide, lambda path: read_rows(path, np.array([0]))])
def test_a_chunk_without_room_for_its_checksum_is_a_data_error(tmp_path, read, size):
    """HDF5 took its size for a very large one, and the process ended."""
    path = tmp_path / "s.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("features", data=numbers(400, 8), chunks=(8, 8), compression="gzip", fletcher32=True)
    with h5py.File(path) as file:
        chunk = file["features"].id.get_chunk_info(0)
    content, key = path.read_bytes(), struct.pack("<IIQQ", chunk.size, 0, 0, 0)
    assert content.count(key) == 1
    path.write_bytes(content.replace(key, struct.pack("<IIQQ", size, 0, 0, 0)))
    with pytest.raises(UserError, match=r"s\.h5 cannot be read as HDF5 \(a chunk is smaller than its checksum"):
        read(path)
