"""Rows of bytes read from where they lie in a file."""

from __future__ import annotations

import os

import numpy as np
import pytest

from datasets.slides.file_rows import read_file_rows


@pytest.mark.parametrize("offsets", [[], [0], [92], [0, 8, 16, 40, 48, 92], [40, 8, 16, 0], [4, 6, 4]])
@pytest.mark.parametrize("advice", [True, False])
def test_rows_come_in_the_order_of_their_offsets(tmp_path, monkeypatch, offsets, advice):
    if not advice:
        monkeypatch.delattr(os, "posix_fadvise", raising=False)
    content = bytes(range(100))
    (tmp_path / "f").write_bytes(content)
    target = np.zeros((len(offsets), 8), dtype=np.uint8)
    read_file_rows(tmp_path / "f", np.array(offsets, dtype=np.int64), target)
    assert [bytes(row) for row in target] == [content[offset : offset + 8] for offset in offsets]


def test_neighbours_are_read_at_once(tmp_path, monkeypatch):
    (tmp_path / "f").write_bytes(bytes(100))
    reads, preadv = [], os.preadv

    def counted(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        reads.append((offset, len(buffers[0])))
        return preadv(descriptor, buffers, offset)

    monkeypatch.setattr(os, "preadv", counted)
    read_file_rows(tmp_path / "f", np.array([0, 8, 16, 40, 48, 92]), np.zeros((6, 8), dtype=np.uint8))
    assert reads == [(0, 24), (40, 16), (92, 8)]


def test_a_file_that_ends_before_is_an_error(tmp_path):
    (tmp_path / "f").write_bytes(bytes(100))
    with pytest.raises(OSError, match="the file ends before byte 100"):
        read_file_rows(tmp_path / "f", np.array([0, 93]), np.zeros((2, 8), dtype=np.uint8))
