"""A pack is what its files are, is written whole or not at all, and an interrupted call goes on."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from datasets.pack import pack_cohort as module
from datasets.pack import place, unfinished_pack
from datasets.pack.pack_cohort import pack_cohort
from datasets.pack.place import JOURNAL
from datasets.pack.settings import PackSettings
from datasets.slides.feature_index import FeatureIndex
from datasets.slides.features import find_slides, read_header, read_rows, read_slide, write_slide
from datasets.slides.fingerprint import fingerprint
from datasets.slides.pack_folder import PARTIAL, SLIDES, TABLE
from datasets.slides.packed_slide import is_packed
from utils.errors import MachineError, UserError
from utils.files.locks import HeldError, locked

HOUR = 3_600_000_000_000
DTYPES = {"a": torch.float16, "b": torch.bfloat16, "c": torch.float32, "d": torch.float64, "e": torch.float16}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("MICO_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def features(tmp_path: Path) -> Path:
    """Five slides of 3 to 7 x 5 in several formats and types, an hour old; b and e without coords."""
    folder = tmp_path / "features"
    for number, (name, dtype) in enumerate(DTYPES.items()):
        numbers = torch.randn(3 + number, 5, generator=torch.Generator().manual_seed(number)).to(dtype)
        coords = torch.arange(2 * len(numbers)).view(-1, 2) * 512
        if name in "be":
            write_slide(folder / f"{name}.pt", numbers)
        else:
            write_slide(folder / f"{name}.h5", numbers, coords, {"patch_size_level0": 512.0, "mpp": 0.1 + number})
    for path in folder.iterdir():
        make_old(path)
    return folder


def make_old(path: Path) -> None:
    os.utime(path, ns=(0, time.time_ns() - HOUR))


def packed(features: Path, **more: object) -> Path:
    """The folder of a pack of these features, which was made now."""
    folder = features.parent / "pack"
    pack_cohort(PackSettings(features_dir=(features,), output_dir=folder, **more))
    return folder


def assert_same(one, other) -> None:
    assert (one.slide_id, one.attributes) == (other.slide_id, other.attributes)
    assert one.features.dtype == other.features.dtype
    assert one.features.view(torch.uint8).tolist() == other.features.view(torch.uint8).tolist()
    assert (one.coords is None) == (other.coords is None)
    assert one.coords is None or torch.equal(one.coords, other.coords)


def test_a_pack_is_read_as_its_files_are(features):
    slides = {slide_id: read_slide(path) for slide_id, path in find_slides([features]).items()}
    paths = find_slides([packed(features)])
    assert list(paths) == list(slides) == sorted(DTYPES)
    assert all(map(is_packed, paths.values()))
    index, of_files = FeatureIndex(), FeatureIndex()
    for slide_id, path in paths.items():
        source = find_slides([features])[slide_id]
        for read in (read_slide, index.read, FeatureIndex("full").read):
            assert_same(read(path), slides[slide_id])
        rows = np.array([0, 2])
        assert torch.equal(index.read_rows(path, rows), read_rows(source, rows))
        header, of_source = read_header(path), read_header(source)
        assert (header.n_patches, header.dtype) == (of_source.n_patches, of_source.dtype)
        assert fingerprint(path) == fingerprint(source)
        assert index.knows_values(path)
        assert index.look_at(path)._replace(chunks="") == of_files.look_at(source)._replace(chunks="")


def test_names_of_any_kind(tmp_path):
    names = ['a,b"c', "ümlaut é.svs", os.fsdecode(b"x\xff"), "TCGA-1.2.3", "x.packed", " sp ", "new\nline"]
    (tmp_path / "features").mkdir()
    for number, name in enumerate(names):
        with (tmp_path / "features" / f"{name}.npy").open("wb") as file:
            np.save(file, np.full((2, 3), number, np.float32))
        make_old(tmp_path / "features" / f"{name}.npy")
    of_files, of_pack = find_slides([tmp_path / "features"]), find_slides([packed(tmp_path / "features")])
    assert list(of_files) == list(of_pack)
    assert all(map(is_packed, of_pack.values()))
    for slide_id, path in of_pack.items():
        assert_same(read_slide(path), read_slide(of_files[slide_id]))


def test_what_is_changed_in_a_slide_stays_with_who_changes_it(features):
    path = find_slides([packed(features)])["a"]
    slide = read_slide(path)
    slide.features.zero_()
    slide.coords.zero_()
    assert_same(read_slide(path), read_slide(features / "a.h5"))


def test_equal_files_give_equal_packs(features):
    folder = packed(features)
    before = {name: (folder / name).read_bytes() for name in (TABLE, SLIDES)}
    shutil.rmtree(folder)
    packed(features, workers=1)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_an_absolute_path_finds_the_files_again(features, monkeypatch):
    monkeypatch.chdir(features.parent)
    pack_cohort(PackSettings(features_dir=(Path("features"),), output_dir=Path("pack")))
    monkeypatch.chdir("/")
    make_old_again(features / "a.h5")
    assert find_slides([features.parent / "pack"])["a"] == features / "a.h5"


def make_old_again(path: Path) -> None:
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))


def interrupt(function: Callable, calls: int) -> Callable:
    """The function, which is interrupted after so many calls."""
    done = []

    def call(*arguments: object, **options: object) -> object:
        if len(done) == calls:
            raise KeyboardInterrupt
        done.append(1)
        return function(*arguments, **options)

    return call


def stop(features: Path, monkeypatch, where: object, name: str, how: Callable) -> None:
    """Pack, with a function in the place of another that interrupts it."""
    with monkeypatch.context() as patch:
        patch.setattr(where, name, how)
        with pytest.raises(KeyboardInterrupt):
            packed(features)


@pytest.mark.parametrize("calls", [0, 1, 3, 5])
def test_an_interrupted_call_goes_on(features, monkeypatch, calls: int):
    whole = {path.name: path.read_bytes() for path in packed(features).iterdir()}
    folder = features.parent / "pack"
    shutil.rmtree(folder)
    name = "add" if calls < 5 else "finish"
    how = interrupt(getattr(unfinished_pack.UnfinishedPack, name), calls if calls < 5 else 0)
    stop(features, monkeypatch, unfinished_pack.UnfinishedPack, name, how)
    if calls:
        with pytest.raises(UserError, match=r"pack is a pack that is not whole: call datasets\.pack again"):
            find_slides([folder])
    else:
        assert not folder.exists()
    read: list[str] = []
    monkeypatch.setattr(module, "_read", counting(module._read, read))
    packed(features)
    assert len(read) == 5 - calls
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == whole


def counting(function: Callable, calls: list[str]) -> Callable:
    def call(path: Path, *arguments: object) -> object:
        calls.append(path.stem)
        return function(path, *arguments)

    return call


def test_what_was_packed_before_is_kept_as_far_as_it_is_right(features, monkeypatch):
    stop(features, monkeypatch, unfinished_pack.UnfinishedPack, "finish", interrupt(print, 0))
    folder = features.parent / "pack"
    partial = bytearray((folder / PARTIAL).read_bytes())
    partial[-60] ^= 1  # of the last slide; and its line, and that of the one before, are half
    lines = (folder / JOURNAL).read_bytes()
    (folder / PARTIAL).write_bytes(partial)
    for journal, kept in ((lines, 4), (lines[:-3], 4), (lines[: lines.rfind(b"\n", 0, -1) - 9], 3), (b"x,y\n", 0)):
        (folder / JOURNAL).write_bytes(journal)
        (folder / PARTIAL).write_bytes(partial)
        read: list[str] = []
        with monkeypatch.context() as patch:
            patch.setattr(module, "_read", counting(module._read, read))
            packed(features)
        assert sorted(read) == list("abcde")[kept:]
        assert_same(read_slide(find_slides([folder])["e"]), read_slide(features / "e.pt"))
        (folder / TABLE).unlink()


def test_a_call_that_was_killed_at_its_end_goes_on(features, monkeypatch):
    stop(features, monkeypatch, unfinished_pack, "write_pack_table", interrupt(print, 0))
    folder = features.parent / "pack"
    assert {path.name for path in folder.iterdir()} == {SLIDES, JOURNAL}
    with pytest.raises(UserError, match="no feature file found"):
        find_slides([folder])
    monkeypatch.setattr(module, "_read", interrupt(print, 0))
    packed(features)
    assert {path.name for path in folder.iterdir()} == {SLIDES, TABLE}


def test_packed_again_only_what_changed_is_read(features, monkeypatch):
    folder = packed(features)
    write_slide(features / "b.pt", torch.ones(2, 5))
    make_old(features / "b.pt")
    (features / "d.h5").unlink()
    write_slide(features / "f.pt", torch.zeros(2, 5))
    make_old(features / "f.pt")
    read: list[str] = []
    monkeypatch.setattr(module, "_read", counting(module._read, read))
    packed(features, overwrite=True)
    assert sorted(read) == ["b", "f"]
    paths = find_slides([folder])
    assert all(map(is_packed, paths.values()))
    for slide_id, path in find_slides([features]).items():
        assert_same(read_slide(paths[slide_id]), read_slide(path))
    packed(features, overwrite=True, verify="full")
    assert sorted(read[2:]) == list("abcef")


def test_a_reader_keeps_the_pack_that_it_has_begun_with(features):
    folder = packed(features)
    path, index = find_slides([folder])["a"], FeatureIndex()
    before = index.read(path)
    features_before = before.features.clone()
    write_slide(features / "a.h5", torch.ones(2, 5))
    make_old(features / "a.h5")
    packed(features, overwrite=True)
    assert torch.equal(before.features, features_before)
    assert torch.equal(index.read(path).features, features_before)
    assert torch.equal(FeatureIndex().read(find_slides([folder])["a"]).features, torch.ones(2, 5))


def test_a_damaged_pack_is_replaced_and_all_is_read(features, monkeypatch):
    folder = packed(features)
    (folder / SLIDES).write_bytes(b"")
    read: list[str] = []
    monkeypatch.setattr(module, "_read", counting(module._read, read))
    packed(features, overwrite=True)
    assert len(read) == 5


def test_a_slide_that_is_not_as_it_was_packed_is_not_taken_over(features):
    folder = packed(features)
    content = bytearray((folder / SLIDES).read_bytes())
    content[128] ^= 1
    (folder / SLIDES).write_bytes(content)
    with pytest.raises(UserError, match=r"does not hold slide a as it was packed \(its digest differs\)"):
        packed(features, overwrite=True)
    packed(features, overwrite=True, verify="full")


def test_files_that_are_written_meanwhile_are_refused(features, monkeypatch):
    def read_and_touch(path: Path, *arguments: object) -> object:
        make_old(path)
        return read(path, *arguments)

    read = module._read
    with monkeypatch.context() as patch:
        patch.setattr(module, "_read", read_and_touch)
        with pytest.raises(UserError, match=r"[a-d]\.\w+ was modified while it was packed"):
            packed(features)
    os.utime(features / "c.h5", ns=(0, time.time_ns() + HOUR))
    monkeypatch.setattr(module, "_SETTLING", 0)
    with pytest.raises(UserError, match=r"c\.h5 was modified while it was packed, or has a time .* in the future"):
        packed(features)


def test_a_young_file_is_packed_when_its_time_proves_what_it_is(features, monkeypatch):
    os.utime(features / "c.h5")
    waited: list[float] = []
    monkeypatch.setattr(module.time, "sleep", lambda seconds: waited.append(seconds) or make_old(features / "c.h5"))
    with pytest.raises(UserError, match=r"c\.h5 was modified"):  # by the test, in place of the wait
        packed(features)
    assert waited == [module._SETTLING]


def test_damaged_features_are_refused_and_the_rest_is_kept(features):
    numbers = torch.zeros(4, 5)
    numbers[1, 1] = torch.nan
    torch.save(numbers, features / "d2.pt")
    make_old(features / "d2.pt")
    with pytest.raises(UserError, match=r"1 of 4 rows of .*d2\.pt hold NaN"):
        packed(features, workers=1)
    assert not (features.parent / "pack" / TABLE).exists()
    (features / "d2.pt").unlink()
    packed(features)
    assert list(find_slides([features.parent / "pack"])) == list("abcde")


def test_features_of_two_widths_are_refused(features):
    write_slide(features / "f.pt", torch.zeros(2, 6))
    make_old(features / "f.pt")
    with pytest.raises(UserError, match="1 such files in all"):
        packed(features)
    assert not (features.parent / "pack").exists()


@pytest.mark.parametrize("where", [".", "pack", "h5_files/deeper/pack"])
def test_a_place_within_the_features_is_refused(features, where: str):
    with pytest.raises(UserError, match=r"which is in the features .*: give a folder elsewhere"):
        pack_cohort(PackSettings(features_dir=(features,), output_dir=features / where))


def test_other_places_that_are_refused(features, tmp_path):
    folder = packed(features)
    with pytest.raises(UserError, match="holds a pack: pass --overwrite to replace it, or give another --output_dir"):
        packed(features)
    with pytest.raises(UserError, match="is a pack: give the directories of the feature files"):
        pack_cohort(PackSettings(features_dir=(folder,), output_dir=tmp_path / "other"))
    with pytest.raises(UserError, match=r"which holds other files \(features\): give a new folder"):
        pack_cohort(PackSettings(features_dir=(features,), output_dir=tmp_path))
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file"):
        pack_cohort(PackSettings(features_dir=(features,), output_dir=tmp_path / "file"))


def test_a_slide_in_two_places_is_refused(features, tmp_path):
    shutil.copytree(features, tmp_path / "again")
    with pytest.raises(UserError, match="slide a is in two files"):
        pack_cohort(PackSettings(features_dir=(features, tmp_path / "again"), output_dir=tmp_path / "pack"))
    folder = packed(features)
    with pytest.raises(UserError, match="slide a is in two files"):
        find_slides([folder, tmp_path / "again"])


def test_one_packs_at_a_time(features):
    with locked(features.parent / "pack"), pytest.raises(HeldError, match="is being written by process"):
        packed(features)


def test_room_is_looked_for_first(features, monkeypatch):
    free = shutil.disk_usage(features)._replace(free=500)
    monkeypatch.setattr(place.shutil, "disk_usage", lambda folder: free)
    with pytest.raises(UserError, match=r"needs 0\.00 GB, and the disk of .*pack has 0\.00 GB free: make room"):
        packed(features)
    assert not (features.parent / "pack").exists()


@pytest.mark.parametrize("n_bytes", [200, 700])
def test_a_disk_that_gets_full(features, n_bytes: int, monkeypatch):
    left = [n_bytes]

    def write(descriptor: int, data: memoryview) -> int:
        n_taken = os.write(descriptor, data[: left[0]]) if left[0] else 0
        left[0] -= n_taken
        if not n_taken:
            raise OSError(errno.ENOSPC, "No space left on device")
        return n_taken

    with monkeypatch.context() as patch:
        patch.setattr(unfinished_pack, "os", SimpleNamespace(**{**vars(os), "write": write}))
        with pytest.raises(MachineError, match=r"partial cannot be written \(No space left on device\): make room"):
            packed(features)
    with pytest.raises(UserError, match=r"not whole|does not exist"):
        find_slides([features.parent / "pack"])
    folder = packed(features)
    for slide_id, path in find_slides([folder]).items():
        assert_same(read_slide(path), read_slide(find_slides([features])[slide_id]))
