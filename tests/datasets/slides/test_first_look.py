"""A small file is read once for all that an index keeps of it, and refused in the words of a larger one."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import torch

from datasets.slides import feature_index, first_look
from datasets.slides.feature_index import FeatureIndex
from datasets.slides.features import open_slide, read_slide, write_slide
from datasets.slides.fingerprint import fingerprint
from utils.errors import UserError

HOUR = 3_600_000_000_000


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Slides of 20 x 4, with coords but for b, an hour old."""
    monkeypatch.setenv("MICO_CACHE_DIR", str(tmp_path / "cache"))
    paths = {name: tmp_path / "features" / f"{name}.{ending}" for name, ending in (("a", "h5"), ("b", "pt"))}
    for name, path in paths.items():
        features = torch.randn(20, 4, generator=torch.Generator().manual_seed(ord(name)))
        write_slide(path, features, None if name == "b" else torch.arange(40).view(20, 2))
        os.utime(path, ns=(0, time.time_ns() - HOUR))
    return paths


def refuse(path: Path) -> None:
    raise AssertionError(f"opened {path} again")


def test_a_small_file_is_read_once_for_all_that_is_known(paths, monkeypatch):
    with monkeypatch.context() as large:
        large.setattr(first_look, "SMALL", 0)
        index = FeatureIndex("full")
        assert all(slide.values is None for slide in index.look_at_all(paths).values())
        for path in paths.values():
            index.read(path)
        as_large = index.found(paths)
    opened: list[Path] = []
    monkeypatch.setattr(first_look, "read_slide", lambda path: opened.append(path) or read_slide(path))
    monkeypatch.setattr(first_look, "open_slide", refuse)
    monkeypatch.setattr(feature_index, "read_header", refuse)
    index = FeatureIndex("full")
    assert index.look_at_all(paths) == as_large
    assert index.have_coords(paths) == {"a": True, "b": False}
    assert sorted(opened) == list(paths.values())
    assert all(slide.values is not None for slide in as_large.values())
    assert FeatureIndex().found(paths) == as_large


def test_nan_in_a_small_file_is_said_by_who_reads_it(paths):
    slide = read_slide(paths["a"])
    features = slide.features.clone()
    features[7, 2] = torch.nan
    content = paths["a"].read_bytes().replace(slide.features.numpy().tobytes(), features.numpy().tobytes())
    paths["a"].write_bytes(content)
    index = FeatureIndex()
    found = index.look_at_all(paths)
    assert found["a"].fingerprint == fingerprint(paths["a"])
    assert found["a"].values is None
    assert found["b"].values is not None
    with pytest.raises(UserError, match=r"1 of 20 rows of .*a\.h5 hold NaN"):
        index.read(paths["a"])


@pytest.mark.parametrize("content", [b"", b"text"])
@pytest.mark.parametrize("name", ["a", "b"])
def test_a_small_file_of_no_features_is_refused_as_a_large_one(paths, name: str, content: bytes):
    paths[name].write_bytes(content)
    with pytest.raises(UserError) as plain, open_slide(paths[name]):
        pass
    with pytest.raises(UserError) as raised:
        FeatureIndex().look_at_all(paths)
    assert str(raised.value) == str(plain.value)
