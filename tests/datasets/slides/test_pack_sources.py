"""A pack stands for what is in the folders of its files now."""

from __future__ import annotations

import logging
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from datasets.pack.pack_cohort import pack_cohort
from datasets.pack.settings import PackSettings
from datasets.slides.feature_index import FeatureIndex
from datasets.slides.features import find_slides, read_slide
from datasets.slides.packed_slide import is_packed
from utils.errors import UserError

HOUR = 3_600_000_000_000


def write(path: Path, value: float) -> None:
    path.parent.mkdir(exist_ok=True)
    np.save(path, np.full((4, 3), value, np.float32))
    os.utime(path, ns=(0, time.time_ns() - HOUR))


@pytest.fixture
def folders(tmp_path: Path, monkeypatch) -> tuple[Path, Path]:
    """Two folders with two slides each, and a pack of both."""
    monkeypatch.setenv("MICO_CACHE_DIR", str(tmp_path / "cache"))
    one, two = tmp_path / "one", tmp_path / "two"
    for number, path in enumerate((one / "a.npy", one / "b.npy", two / "c.npy", two / "d.npy")):
        write(path, number)
    pack_cohort(PackSettings(features_dir=(one, two), output_dir=tmp_path / "pack"))
    return one, two


@pytest.fixture
def pack(tmp_path: Path, folders) -> Path:
    return tmp_path / "pack"


def test_unchanged_files_are_read_from_the_pack_without_a_word(pack, caplog):
    with caplog.at_level(logging.INFO):
        paths = find_slides([pack])
    assert [path.name for path in paths.values()] == ["a.packed", "b.packed", "c.packed", "d.packed"]
    assert caplog.messages == []


def test_it_has_the_slides_that_the_files_have(pack, folders, caplog):
    one, two = folders
    write(one / "a.npy", 9)
    write(one / "new.npy", 8)
    (two / "c.npy").unlink()
    with caplog.at_level(logging.INFO):
        paths = find_slides([pack])
        find_slides([pack])
    of_files = find_slides([one, two])
    assert list(paths) == list(of_files) == ["a", "b", "d", "new"]
    assert [slide_id for slide_id, path in paths.items() if is_packed(path)] == ["b", "d"]
    assert paths["a"] == one / "a.npy"
    index = FeatureIndex()
    for slide_id, path in paths.items():
        assert index.read(path).features.tolist() == read_slide(of_files[slide_id]).features.tolist()
    assert caplog.messages == [
        f"since {pack} was packed, 1 feature file changed, 1 came and 1 went: read from the files as they are now; "
        "datasets.pack --overwrite packs them"
    ]


def test_folders_that_are_not_there(pack, folders, tmp_path, caplog):
    """Removed, or an empty place where a disk is mounted at other times."""
    one, two = folders
    shutil.rmtree(one)
    for path in two.iterdir():
        path.unlink()
    with caplog.at_level(logging.INFO):
        paths = find_slides([pack])
    assert list(paths) == list("abcd")
    assert all(map(is_packed, paths.values()))
    assert caplog.messages == [f"{one} and 1 more without feature files: 4 slides as {pack} has them"]
    assert FeatureIndex("full").read(paths["d"]).features.tolist() == [[3.0] * 3] * 4
    write(two / "c.npy", 9)
    assert [slide_id for slide_id, path in find_slides([pack]).items() if is_packed(path)] == ["a", "b"]


def test_a_pack_is_found_below_a_folder(pack, tmp_path):
    (tmp_path / "disk").mkdir()
    pack.rename(tmp_path / "disk" / "BLCA")
    with pytest.raises(UserError, match=r"it holds .*disk/BLCA: give one of these folders"):
        find_slides([tmp_path / "disk"])
