"""Texts of variable length lie in heaps, whose damage must not stop HDF5."""

from __future__ import annotations

import struct
from pathlib import Path

import h5py
import numpy as np
import pytest

from datasets.slides.features import read_slide
from datasets.slides.h5_opened import opened_h5
from datasets.slides.h5_texts import variable_text
from utils.errors import UserError


def write(path: Path, **texts: str) -> Path:
    with h5py.File(path, "w") as file:
        file["feats"] = np.ones((40, 8), dtype="f2")
        file.attrs.update({"feat_type": "tile", **texts})
    return path


def change(path: Path, offset: int, new: bytes) -> None:
    """Change bytes of the first heap, counted from its beginning."""
    content = path.read_bytes()
    begin = content.index(b"GCOL") + offset
    path.write_bytes(content[:begin] + new + content[begin + len(new) :])


@pytest.mark.parametrize("n_texts", [1, 400])
def test_texts_are_read(tmp_path: Path, n_texts: int):
    texts = {f"text_{index}": f"{index} ä" * 40 for index in range(n_texts)}  # several heaps
    path = write(tmp_path / "s.h5", **texts)
    with opened_h5(path) as file:
        assert [variable_text(file, name, path) for name in texts] == list(texts.values())


@pytest.mark.parametrize("length", [0, 2**64 - 16, 2**40])
def test_a_heap_without_an_end_is_damage(tmp_path: Path, length: int):
    path = write(tmp_path / "s.h5")
    change(path, 16, struct.pack("<HHIQ", 0, 0, 0, length))
    with pytest.raises(UserError, match=r"s\.h5 cannot be read as HDF5 \(attribute 'feat_type': a heap has an object"):
        read_slide(path)


def test_a_part_that_became_zeros_is_damage(tmp_path: Path):
    path = write(tmp_path / "s.h5")
    change(path, 16, bytes(200))
    with pytest.raises(UserError, match="a heap has an object of 0 bytes"):
        read_slide(path)


def test_a_heap_that_is_longer_than_its_file_is_damage(tmp_path: Path):
    path = write(tmp_path / "s.h5")
    change(path, 8, struct.pack("<Q", 2**50))
    with pytest.raises(UserError, match="a heap of 1125899906842624 bytes is longer than the file"):
        read_slide(path)


def test_a_heap_that_is_none_is_damage(tmp_path: Path):
    path = write(tmp_path / "s.h5")
    change(path, 0, b"LOCG")
    with pytest.raises(UserError, match=r"s\.h5 cannot be read as HDF5 \(attribute 'feat_type'"):
        read_slide(path)


def test_numbers_that_look_like_a_heap_are_numbers(tmp_path: Path):
    path = write(tmp_path / "s.h5")
    with h5py.File(path, "a") as file:
        file["feats"][3, :4] = np.frombuffer(b"GCOL\x01\0\0\0", dtype="f2")
    assert read_slide(path).features[3, :4].numpy().tobytes() == b"GCOL\x01\0\0\0"
