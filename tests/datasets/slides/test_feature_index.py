"""An unchanged file is not opened again to learn what is known of it, and nothing is taken for known that is not."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from datasets.slides import feature_index, first_look, slide_checks
from datasets.slides.feature_index import FeatureIndex
from datasets.slides.features import read_header, read_rows, read_slide, write_slide
from datasets.slides.fingerprint import fingerprint
from datasets.slides.index_folder import INDEX_NAME
from datasets.slides.slide_values import SlideValues
from utils.errors import UserError

HOUR = 3_600_000_000_000
COORDS = torch.arange(40).view(20, 2)
ROWS = np.array([0, 3, 19])


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("MICO_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def large_files(monkeypatch) -> None:
    """A look at a small file tells all of it, and slides of tests are small: most tests are of the others."""
    monkeypatch.setattr(first_look, "SMALL", 0)


@pytest.fixture
def paths(tmp_path: Path) -> dict[str, Path]:
    """Slides of 20 x 4, with coords but for b, an hour old."""
    paths = {
        name: tmp_path / "features" / f"{name}.{ending}" for name, ending in zip("abc", ("h5", "pt", "h5"), strict=True)
    }
    for seed, (name, path) in enumerate(paths.items()):
        features = torch.randn(20, 4, generator=torch.Generator().manual_seed(seed))
        write_slide(path, features, None if name == "b" else COORDS)
        make_old(path)
    return paths


def make_old(path: Path) -> None:
    os.utime(path, ns=(0, time.time_ns() - HOUR))


def replace_by_noise(path: Path) -> None:
    """Other bytes in a file of the same size and time: whoever opens it fails."""
    state = path.stat()
    path.write_bytes(b"\x01" * state.st_size)
    os.utime(path, ns=(0, state.st_mtime_ns))


def put_nan(path: Path) -> None:
    """NaN among the features, in a file of the same size and time."""
    state, slide = path.stat(), read_slide(path)
    features = slide.features.clone()
    features[7, 2] = torch.nan
    content = path.read_bytes().replace(slide.features.numpy().tobytes(), features.numpy().tobytes())
    path.write_bytes(content)
    os.utime(path, ns=(0, state.st_mtime_ns))


def assert_same(one, other) -> None:
    assert (one.slide_id, one.attributes) == (other.slide_id, other.attributes)
    assert torch.equal(one.features, other.features)
    assert (one.coords is None) == (other.coords is None)
    assert one.coords is None or torch.equal(one.coords, other.coords)


def after_reading(paths: dict[str, Path]) -> None:
    """An earlier command has read all slides."""
    index = FeatureIndex()
    for path in paths.values():
        index.read(path)
    index.save()


def test_a_header_is_read_once(paths):
    first = FeatureIndex().look_at_all(paths)
    for slide_id, path in paths.items():
        header = read_header(path)
        assert first[slide_id].state == (path.stat().st_size, path.stat().st_mtime_ns)
        assert (first[slide_id].n_patches, first[slide_id].width) == (header.n_patches, header.width)
        assert first[slide_id].dtype == str(header.dtype).removeprefix("torch.")
        assert first[slide_id].fingerprint == fingerprint(path)
        assert first[slide_id].has_coords is first[slide_id].values is None
    assert list(first) == list(paths)
    for path in paths.values():
        replace_by_noise(path)
    assert FeatureIndex().look_at_all(paths) == first
    assert FeatureIndex().found(paths) == first
    assert not FeatureIndex().knows_values(paths["a"])
    with pytest.raises(UserError, match=r"a\.h5"):
        FeatureIndex("full").look_at_all(paths)


def test_the_values_of_a_slide_are_looked_at_once(paths, monkeypatch):
    slides = {slide_id: read_slide(path) for slide_id, path in paths.items()}
    index = FeatureIndex()
    for slide_id, path in paths.items():
        assert_same(index.read(path), slides[slide_id])
        assert index.knows_values(path)
    index.save()
    monkeypatch.setattr(slide_checks, "count_bad_rows", refuse)
    for known in (index, FeatureIndex()):
        for slide_id, path in paths.items():
            assert_same(known.read(path), slides[slide_id])
            assert torch.equal(known.read_rows(path, ROWS), slides[slide_id].features[torch.from_numpy(ROWS)])
            assert known.look_at(path).values == SlideValues.of(slides[slide_id])
            assert known.look_at(path).has_coords == (slide_id != "b")
    for read in (FeatureIndex("full").read, read_slide):
        with pytest.raises(AssertionError, match="looked for NaN"):
            read(paths["a"])
    with pytest.raises(AssertionError, match="looked for NaN"):
        FeatureIndex("full").read_rows(paths["a"], ROWS)


def refuse(features: torch.Tensor) -> int:
    raise AssertionError(f"looked for NaN in {features.shape}")


def test_full_trusts_what_the_same_command_has_found(paths, monkeypatch):
    index = FeatureIndex("full")
    index.read(paths["a"])
    monkeypatch.setattr(slide_checks, "count_bad_rows", refuse)
    index.read(paths["a"])


@pytest.mark.parametrize("change", ["time", "size", "gone"])
def test_a_changed_file_is_looked_at_again(paths, change: str):
    after_reading(paths)
    path = paths["b"]
    mtime_ns = path.stat().st_mtime_ns
    if change == "gone":
        path.unlink()
    else:
        write_slide(path, torch.ones(20 if change == "time" else 60, 4))
        os.utime(path, ns=(0, mtime_ns - 1 if change == "time" else mtime_ns))
    index = FeatureIndex()
    assert index.known(path) is None
    assert not index.knows_values(path)
    if change == "gone":
        with pytest.raises(UserError, match=r"b\.pt does not exist"):
            index.look_at_all(paths)
    else:
        found = index.look_at_all(paths)["b"]
        assert found.fingerprint == fingerprint(path)
        assert found.values is None
        assert FeatureIndex().known(path) == found
        assert FeatureIndex().knows_values(paths["a"])


def test_a_young_file_proves_nothing(paths, monkeypatch):
    """As git does with racily clean files: the content may change within the resolution of its time."""
    path, index = paths["a"], FeatureIndex()
    os.utime(path)
    first = index.look_at_all(paths)["a"]
    index.read(path)
    index.save()
    assert index.known(path) is None
    assert index.found({"a": path})["a"].values is not None  # used, not kept
    assert FeatureIndex().known(path) is None
    assert FeatureIndex().known(paths["c"]) is not None
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 2_500_000_000)
    index.read(path)
    index.save()
    assert FeatureIndex().known(path)[:6] == first[:6]
    assert FeatureIndex().knows_values(path)


def test_a_file_of_the_future_is_read_with_a_look_for_nan_each_time(paths, monkeypatch):
    path, index = paths["a"], FeatureIndex()
    os.utime(path, ns=(0, time.time_ns() + HOUR))
    values = index.read(path) and index.found(paths)["a"]
    monkeypatch.setattr(SlideValues, "of", refuse)  # what repeats in it needs no second look
    index.read(path)
    assert index.found(paths)["a"] == values
    put_nan(path)
    with pytest.raises(UserError, match="1 of 20 rows"):
        index.read(path)


@pytest.mark.parametrize("call", ["look_at", "read"])
def test_a_file_that_is_written_while_somebody_looks_is_not_kept(paths, monkeypatch, call: str):
    def open_and_write(function: Callable[..., object]) -> Callable[..., object]:
        def opened(path: Path, **how: bool) -> object:
            os.utime(path, ns=(0, time.time_ns() - HOUR))
            return function(path, **how)

        return opened

    index = FeatureIndex()
    monkeypatch.setattr(first_look, "open_slide", open_and_write(first_look.open_slide))
    monkeypatch.setattr(feature_index, "read_slide", open_and_write(feature_index.read_slide))
    getattr(index, call)(paths["a"])
    assert index.known(paths["a"]) is None
    index.save()
    assert FeatureIndex().known(paths["a"]) is None


def test_a_file_that_is_replaced_while_it_is_read_is_looked_at_for_nan(paths, monkeypatch):
    after_reading(paths)
    read = feature_index.read_slide

    def replaced(path: Path, *, known_finite: bool = False) -> object:
        if known_finite:
            put_nan(path)
            make_old(path)
        return read(path, known_finite=known_finite)

    monkeypatch.setattr(feature_index, "read_slide", replaced)
    with pytest.raises(UserError, match=r"1 of 20 rows of .*a\.h5 hold NaN"):
        FeatureIndex().read(paths["a"])


def test_so_are_rows(paths, monkeypatch):
    after_reading(paths)

    def replaced(path: Path, rows: np.ndarray, *, known_finite: bool = False) -> torch.Tensor:
        if known_finite:
            put_nan(path)
            make_old(path)
        return read_rows(path, rows, known_finite=known_finite)

    monkeypatch.setattr(feature_index, "read_rows", replaced)
    with pytest.raises(UserError, match="1 of 2 rows"):
        FeatureIndex().read_rows(paths["a"], np.array([6, 7]))


def test_nan_is_said_as_ever_and_not_recorded(paths):
    put_nan(paths["a"])
    with pytest.raises(UserError) as plain:
        read_slide(paths["a"])
    for verify in ("changed", "changed", "full"):
        index = FeatureIndex(verify)
        index.look_at_all(paths)  # the header is right
        with pytest.raises(UserError) as raised:
            index.read(paths["a"])
        assert str(raised.value) == str(plain.value)
        index.save()
    assert FeatureIndex().known(paths["a"]) is None


def test_what_full_refutes_is_no_longer_known(paths):
    """NaN in a file whose size and time are as before: only a look at all files finds it, and then everybody knows."""
    after_reading(paths)
    put_nan(paths["a"])
    assert FeatureIndex().read(paths["a"]).features.isnan().any()
    index = FeatureIndex("full")
    with pytest.raises(UserError, match="1 of 20 rows"):
        index.read(paths["a"])
    index.save()
    with pytest.raises(UserError, match="1 of 20 rows"):
        FeatureIndex().read(paths["a"])
    assert FeatureIndex().knows_values(paths["b"])


def test_what_a_full_look_does_not_look_at_stays(paths):
    after_reading(paths)
    FeatureIndex("full").look_at_all(paths)
    assert all(FeatureIndex().knows_values(path) for path in paths.values())


def test_coordinates_without_the_features(paths):
    put_nan(paths["c"])
    assert FeatureIndex().have_coords(paths) == {"a": True, "b": False, "c": True}
    for path in paths.values():
        replace_by_noise(path)
    assert FeatureIndex().have_coords(paths) == {"a": True, "b": False, "c": True}
    with pytest.raises(UserError, match=r"a\.h5"):
        FeatureIndex("full").have_coords(paths)


def test_the_first_error_is_raised_and_what_was_found_before_is_kept(paths):
    paths["b"].write_bytes(b"")
    (paths["c"]).unlink()
    with pytest.raises(UserError, match=r"b\.pt is an empty file"):
        FeatureIndex(threads=1).look_at_all(paths)
    assert FeatureIndex().known(paths["a"]) is not None


def test_positions_beside_a_file_belong_to_it(tmp_path: Path):
    """slideflow writes them into a file of their own."""
    path, beside = tmp_path / "s.pt", tmp_path / "s.index.npz"
    write_slide(path, torch.ones(3, 4))
    make_old(path)
    assert FeatureIndex().have_coords({"s": path}) == {"s": False}
    np.savez(beside, np.arange(6).reshape(3, 2))
    make_old(beside)
    assert FeatureIndex().have_coords({"s": path}) == {"s": True}
    index = FeatureIndex()
    index.read(path)
    index.save()
    assert FeatureIndex().knows_values(path)
    os.utime(beside, ns=(0, beside.stat().st_mtime_ns + 1))
    assert not FeatureIndex().knows_values(path)
    beside.unlink()
    assert FeatureIndex().have_coords({"s": path}) == {"s": False}


def test_files_of_several_folders(tmp_path: Path):
    paths = {name: tmp_path / name / f"{name}.npy" for name in "xy"}
    for path in paths.values():
        path.parent.mkdir()
        np.save(path, np.ones((3, 4), np.float32))
        make_old(path)
    FeatureIndex().look_at_all(paths)
    assert all((path.parent / INDEX_NAME).is_file() for path in paths.values())
    assert FeatureIndex().found(paths).keys() == paths.keys()


def test_nothing_new_is_not_written_again(paths):
    after_reading(paths)
    index_file = paths["a"].parent / INDEX_NAME
    before = index_file.stat()
    after_reading(paths)
    assert (index_file.stat().st_ino, index_file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_there_are_two_ways_to_verify():
    with pytest.raises(ValueError, match="got verify 'none', expected one of changed, full"):
        FeatureIndex("none")


def test_what_was_found_before_a_file_was_rewritten_is_written_as_it_was(paths):
    """The later look, at a young file, is not: a third command would take it for proven."""
    path, index = paths["a"], FeatureIndex()
    before = index.look_at(path)
    write_slide(path, torch.ones(20, 4), COORDS)
    assert index.look_at(path).fingerprint == fingerprint(path) != before.fingerprint
    index.save()
    make_old(path)
    assert FeatureIndex().known(path) is None
