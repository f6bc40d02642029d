"""An open file and its datasets say what h5py's own objects say, and are closed whatever happened."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from datasets.slides.features import read_slide
from datasets.slides.h5_datasets import find_dataset
from datasets.slides.h5_file import open_h5
from datasets.slides.h5_opened import H5Dataset, opened_h5
from tests.fuzz.targets.h5 import seeds
from utils.errors import UserError


def write(path: Path, **options: Any) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset("features", data=np.arange(80, dtype="f4").reshape(20, 4), **options)
    return path


def is_locked(path: Path) -> bool:
    """Whether a reader holds the lock that keeps writers away."""
    with path.open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_what_a_dataset_says_of_itself_is_what_h5py_says(tmp_path: Path):
    n_datasets = 0
    for path in seeds(tmp_path):
        with h5py.File(path) as plain:
            names = [name for name, found in plain.items() if isinstance(found, h5py.Dataset)]
        with opened_h5(path) as file:
            found = {name: find_dataset(file, name, path) for name in names}
            with h5py.File(path) as plain:
                assert file.userblock_size == plain.userblock_size
                for name, dataset in found.items():
                    same_as_h5py(dataset, plain[name])
                    n_datasets += 1
    assert n_datasets > 10


def same_as_h5py(dataset: H5Dataset | None, plain: h5py.Dataset) -> None:
    assert dataset is not None
    assert (dataset.shape, dataset.dtype, dataset.ndim, dataset.size) == (
        *(plain.shape, plain.dtype, plain.ndim, plain.size),
    )
    assert (dataset.chunks or None) == plain.chunks
    assert dataset.n_filters == plain.id.get_create_plist().get_nfilters()
    np.testing.assert_array_equal(dataset[...], plain[...])
    if dataset.is_plain and dataset.id.get_offset() is not None:
        content = dataset.file.path.read_bytes()[dataset.id.get_offset() :]
        assert content[: plain.nbytes] == plain[...].tobytes()


@pytest.mark.parametrize("size", [0, 512, 1024])
def test_bytes_before_the_file(tmp_path: Path, size: int):
    with h5py.File(tmp_path / "s.h5", "w", userblock_size=size) as file:
        file["features"] = np.ones((3, 4))
    with opened_h5(tmp_path / "s.h5") as opened:
        assert opened.userblock_size == size
        dataset = find_dataset(opened, "features", opened.path)
        assert dataset is not None
        assert dataset.is_plain == (size == 0)


def test_a_dataset_without_a_space_has_no_numbers(tmp_path: Path):
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["features"] = h5py.Empty("f4")
    with opened_h5(tmp_path / "s.h5") as opened:
        dataset = find_dataset(opened, "features", opened.path)
        assert dataset is not None
        assert (dataset.shape, dataset.size, dataset.chunks) == ((0,), 0, ())


def test_a_file_is_closed_with_its_datasets(tmp_path: Path):
    path = write(tmp_path / "s.h5", chunks=(1, 4))
    with open_h5(path) as slide:
        slide.read_all()
        assert is_locked(path)
    assert not is_locked(path)


def test_so_it_is_after_an_error_whose_frames_hold_more_of_it(tmp_path: Path):
    path = write(tmp_path / "s.h5")
    kept = []

    def fail() -> None:
        with opened_h5(path) as file:
            kept.append(h5py.h5o.open(file.id, b"/features"))
            kept.append(h5py.h5g.open(file.id, b"/"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not is_locked(path)
    assert not any(kept)  # h5py: an identifier that is no longer valid is false


def test_two_may_read_a_file_and_h5py_beside_them(tmp_path: Path):
    path = write(tmp_path / "s.h5")
    with opened_h5(path), h5py.File(path) as plain, opened_h5(path):
        assert read_slide(path).features.shape == plain["features"].shape


def test_a_file_that_is_none(tmp_path: Path):
    (tmp_path / "s.h5").write_bytes(b"text")
    with pytest.raises(UserError, match=r"s\.h5 cannot be read as HDF5"), opened_h5(tmp_path / "s.h5"):
        pass
