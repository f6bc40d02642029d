"""What is known of packed slides, and `--verify full`."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from datasets.pack.pack_cohort import pack_cohort
from datasets.pack.settings import PackSettings
from datasets.slides.feature_index import FeatureIndex
from datasets.slides.features import find_slides
from datasets.slides.pack_folder import SLIDES
from utils.errors import UserError

HOUR = 3_600_000_000_000


@pytest.fixture
def source(tmp_path: Path, monkeypatch) -> Path:
    """A file of 4 x 3, of which there is a pack."""
    monkeypatch.setenv("MICO_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "features" / "a.npy"
    path.parent.mkdir()
    np.save(path, np.arange(12, dtype=np.float32).reshape(4, 3))
    os.utime(path, ns=(0, time.time_ns() - HOUR))
    pack_cohort(PackSettings(features_dir=(path.parent,), output_dir=tmp_path / "pack"))
    return path


@pytest.fixture
def pack(tmp_path: Path, source) -> Path:
    return tmp_path / "pack"


def test_nothing_is_opened_that_is_known(pack, source, monkeypatch):
    paths = find_slides([pack])
    monkeypatch.setattr("datasets.slides.feature_index.look_into", None)
    index = FeatureIndex()
    found = index.look_at_all(paths)["a"]
    assert found.state == (source.stat().st_size, source.stat().st_mtime_ns)
    assert index.knows_values(paths["a"])
    assert index.have_coords(paths) == {"a": False}
    assert index.found(paths) == {"a": found}
    index.save()
    assert {path.name for path in pack.iterdir()} == {SLIDES, "pack.csv"}


def test_full_looks_at_the_pack(pack):
    paths = find_slides([pack])
    index = FeatureIndex("full")
    assert not index.knows_values(paths["a"])
    index.look_at_all(paths)  # small slides are read whole at the first look
    assert index.knows_values(paths["a"])
    content = bytearray((pack / SLIDES).read_bytes())
    content[128 + 12] ^= 1  # the second row, which the fingerprint does not see
    (pack / SLIDES).write_bytes(content)
    FeatureIndex("full").look_at_all(paths)
    with pytest.raises(UserError, match=r"slide a as it was packed \(its digest differs"):
        FeatureIndex("full").read(paths["a"])
    content[128] ^= 1
    (pack / SLIDES).write_bytes(content)
    with pytest.raises(UserError, match=r"slide a as it was packed \(its fingerprint differs"):
        FeatureIndex("full").look_at_all(paths)
    FeatureIndex().look_at_all(paths)


def test_full_looks_at_the_files_too(pack, source):
    """Who sets size and time back."""
    state = source.stat()
    np.save(source, np.ones((4, 3), np.float32))
    os.utime(source, ns=(0, state.st_mtime_ns))
    FeatureIndex().look_at_all(find_slides([pack]))
    with pytest.raises(UserError, match=r"a\.npy holds other features than when it was packed into .*pack, with the"):
        FeatureIndex("full").look_at_all(find_slides([pack]))
    source.unlink()
    FeatureIndex("full").look_at_all(find_slides([pack]))
