from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from datasets.slides.file_state import is_young, state_of

SECOND = 1_000_000_000


def written(path: Path, n_bytes: int, mtime_ns: int) -> None:
    path.write_bytes(bytes(n_bytes))
    os.utime(path, ns=(0, mtime_ns))


def test_size_and_time(tmp_path: Path):
    written(tmp_path / "a.h5", 7, 123_456_789_000_000_001)
    assert state_of(tmp_path / "a.h5") == (7, 123_456_789_000_000_001)
    assert state_of(tmp_path / "b.h5") is state_of(tmp_path / "a.h5" / "b.h5") is None


def test_positions_of_slideflow_belong_to_a_pt_file_only(tmp_path: Path):
    for name, n_bytes, mtime_ns in (("a.PT", 7, 50), ("a.index.npz", 11, 90), ("a.index.npy", 13, 40), ("a.h5", 5, 1)):
        written(tmp_path / name, n_bytes, mtime_ns)
    assert state_of(tmp_path / "a.PT") == (31, 90)
    assert state_of(tmp_path / "a.h5") == (5, 1)


@pytest.mark.parametrize(("seconds", "young"), [(-9, True), (0, True), (1.9, True), (2.1, False), (1e6, False)])
def test_youth(monkeypatch, seconds: float, young: bool):
    monkeypatch.setattr(time, "time_ns", lambda: 5 * 10**18)
    assert is_young((1, 5 * 10**18 - int(seconds * SECOND))) is young
