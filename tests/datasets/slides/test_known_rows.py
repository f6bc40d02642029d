"""Rows of a file that an index knows are read without HDF5, and are what HDF5 reads."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from datasets.slides import feature_index, h5_remembered
from datasets.slides.feature_index import FeatureIndex
from datasets.slides.features import read_rows, write_slide
from datasets.slides.known_rows import read_known_rows
from tests.datasets.slides.test_feature_index import make_old
from utils.errors import UserError

ROWS = np.array([0, 3, 4, 17, 58, 59])


def appended(path: Path, name: str = "features", *, nan_in: int | None = None, shape: tuple[int, ...] = ()) -> Path:
    """60 x 6 float16 as CLAM writes them: features and coords in turn, in chunks of one row."""
    features = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float16)
    if nan_in is not None:
        features[nan_in, 2] = np.nan
    with h5py.File(path, "w") as file:
        file.create_dataset(name, (*shape, 0, 6), "f2", maxshape=(*shape, None, 6), chunks=(*shape, 1, 6))
        file.create_dataset("coords", (0, 2), "i8", maxshape=(None, 2), chunks=(1, 2))
        for end in range(20, 61, 20):
            file[name].resize(end, axis=len(shape))
            file[name][..., end - 20 : end, :] = features[end - 20 : end]
            file["coords"].resize(end, axis=0)
            file["coords"][end - 20 : end] = np.arange(end - 20, end)[:, None]
    make_old(path)
    return path


def known(path: Path) -> FeatureIndex:
    """An index that knows where the rows are, of another process."""
    first = FeatureIndex()
    first.look_at_all({"a": path})
    first.read_rows(path, ROWS)
    first.save()
    h5_remembered._found.clear()
    return FeatureIndex()


@pytest.mark.parametrize(("name", "shape"), [("features", ()), ("feats", ()), ("features", (1,))])
def test_they_are_those_of_hdf5(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, shape: tuple[int, ...]):
    path = appended(tmp_path / "a.h5", name, shape=shape)
    expected = read_rows(path, ROWS)
    index = known(path)
    monkeypatch.setattr(feature_index, "read_rows", None)  # not called
    found = index.read_rows(path, ROWS)
    assert found.dtype == torch.float16
    assert torch.equal(found, expected)


def test_places_of_other_rows_than_the_file_has_are_not_used(tmp_path: Path):
    path = appended(tmp_path / "a.h5")
    slide = known(path).known(path)
    assert slide is not None
    assert read_known_rows(path, slide, ROWS) is not None
    assert read_known_rows(path, slide._replace(chunks=""), ROWS) is None
    assert read_known_rows(path, slide._replace(n_patches=61), ROWS) is None


def test_of_a_file_in_one_piece_nothing_is_known(tmp_path: Path):
    path = tmp_path / "a.h5"
    write_slide(path, torch.randn(60, 6))
    make_old(path)
    index = known(path)
    slide = index.known(path)
    assert slide is not None
    assert read_known_rows(path, slide, ROWS) is None
    assert torch.equal(index.read_rows(path, ROWS), read_rows(path, ROWS))


def test_nan_is_looked_for_where_nobody_has(tmp_path: Path):
    path = appended(tmp_path / "a.h5", nan_in=17)
    index = FeatureIndex()
    index.look_at_all({"a": path})
    for _ in range(2):  # the second time by what the first one found
        with pytest.raises(UserError, match=r"1 of 6 rows of .*a\.h5 hold NaN"):
            index.read_rows(path, ROWS)


def test_a_file_that_changed_is_read_anew(tmp_path: Path):
    path = appended(tmp_path / "a.h5")
    index = known(path)
    before = index.read_rows(path, ROWS)
    write_slide(path, torch.ones(60, 6))
    assert not torch.equal(before.float(), index.read_rows(path, ROWS).float())
    assert torch.equal(index.read_rows(path, ROWS), torch.ones(len(ROWS), 6))


def test_a_file_that_ends_before_is_said(tmp_path: Path):
    path = appended(tmp_path / "a.h5")
    slide = known(path).known(path)
    assert slide is not None
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(UserError, match=r"a\.h5 cannot be read as a feature file \(the file ends before byte"):
        read_known_rows(path, slide, ROWS)
