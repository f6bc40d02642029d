from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from tests.small_disk import small_disk, small_files
from utils.errors import MachineError, UserError
from utils.figures.plotting import save_png
from utils.files.atomic import atomic_path, write_json, write_text
from utils.files.tensors import save_tensors

NOISE = np.random.default_rng(0).integers(0, 255, (300, 300, 3), dtype=np.uint8)  # 270 kB that nothing compresses


def test_a_file_takes_its_name_when_it_is_whole(tmp_path: Path):
    path = tmp_path / "new" / "a.txt"
    with atomic_path(path) as temporary:
        assert (temporary.parent, temporary.suffix, temporary.name[0]) == (path.parent, ".txt", ".")
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert [file.name for file in path.parent.iterdir()] == ["a.txt"]


def test_after_an_error_the_old_file_is_there_and_nothing_else(tmp_path: Path):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def fail() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_json_is_indented_utf_8_and_never_holds_nan(tmp_path: Path):
    path = tmp_path / "a.json"
    write_json(path, {"name": "é", "values": (1, None)})
    assert path.read_bytes() == '{\n  "name": "é",\n  "values": [\n    1,\n    null\n  ]\n}\n'.encode()
    assert json.loads(path.read_text(encoding="utf-8")) == {"name": "é", "values": [1, None]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"value": float("nan")})
    assert json.loads(path.read_text(encoding="utf-8"))["values"] == [1, None]


def test_a_path_that_is_no_utf_8_can_be_written_and_read_back(tmp_path: Path):
    name = os.fsdecode(b"caf\xe9")
    write_json(tmp_path / "a.json", {"path": name})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"path": name}


def test_the_new_file_is_on_the_disk_before_it_takes_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path, synced = tmp_path / "a.txt", []

    def fsync(descriptor: int) -> None:
        synced.append((os.fstat(descriptor).st_ino, os.fstat(descriptor).st_size, path.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    write_text(path, "whole")
    assert synced == [(path.stat().st_ino, 5, False)]


def _write_text(path: Path) -> None:
    write_text(path, "x" * 200_000)


def _write_tensor(path: Path) -> None:
    save_tensors(path, {"x": torch.randn(50_000)})


def _write_tensors(path: Path) -> None:
    save_tensors(path, {str(number): torch.randn(1000) for number in range(50)})


def _write_figure(path: Path) -> None:
    figure = Figure()
    figure.figimage(NOISE)
    save_png(figure, path)


def _write_picture(path: Path) -> None:
    with atomic_path(path) as temporary:
        Image.fromarray(NOISE).save(temporary, format="PNG", optimize=True)


def _write_hdf5(path: Path) -> None:
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        file.create_dataset("features", data=np.ones(50_000, dtype=np.float32))


WRITERS = [_write_text, _write_tensor, _write_tensors, _write_figure, _write_picture, _write_hdf5]
each_writer = pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)


@each_writer
def test_what_a_limit_on_sizes_refuses_is_said_with_the_reason(tmp_path: Path, write: Callable[[Path], None]):
    path = tmp_path / "a.png"
    path.write_text("old")
    with small_files(100_000), pytest.raises(MachineError) as error:
        write(path)
    assert str(error.value) == (
        f"{path} cannot be written (File too large): raise the limit on the size of files (ulimit -f), or give a place "
        "on another disk"
    )
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


@each_writer
def test_what_a_full_disk_refuses_is_said_with_the_reason(
    tmp_path: Path, write: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
):
    with small_disk(tmp_path / "disk", 100_000) as disk:
        path = disk.place / "a.png"
        path.write_text("old")
        if not disk.is_mounted:  # the answer of a full disk all the same
            monkeypatch.setattr(os, "fsync", _full)
        with pytest.raises(MachineError) as error:
            write(path)
        assert str(error.value) == (
            f"{path} cannot be written (No space left on device): make room on its disk, or give a place on another one"
        )
        assert path.read_text() == "old"
        assert [file.name for file in path.parent.iterdir()] == ["a.png"]


def _full(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    "number", [errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE, errno.EMFILE, errno.EBUSY]
)
def test_every_answer_of_the_system_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int):
    def refuse(temporary: Path, path: Path) -> None:
        raise OSError(number, os.strerror(number), str(temporary), None, str(path))

    monkeypatch.setattr(Path, "replace", refuse)
    path = tmp_path / "a.txt"
    with pytest.raises(MachineError, match=f"^{path} cannot be written \\({os.strerror(number)}\\): [a-z ]+"):
        write_text(path, "new")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with small_disk(tmp_path / "disk", 100_000) as disk:
        if disk.is_mounted:
            disk.make("ro")
        else:
            monkeypatch.setattr(Path, "mkdir", _read_only)
        path = disk.place / "new" / "a.txt"
        with pytest.raises(MachineError, match=r"a\.txt cannot be written \(Read-only file system\): give a place"):
            write_text(path, "new")


def _read_only(path: Path, **options: bool) -> None:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))


def test_a_folder_that_vanishes_while_a_file_is_written(tmp_path: Path):
    path = tmp_path / "folder" / "a.txt"

    def vanish() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("new")
            shutil.rmtree(path.parent)

    with pytest.raises(
        MachineError, match=r"a\.txt cannot be written \(No such file or directory\): check whether its"
    ):
        vanish()
    assert not path.parent.exists()


def test_a_file_where_a_folder_is_needed_and_the_reverse(tmp_path: Path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(MachineError, match=r"a\.txt cannot be written \(File exists\): a file has the name of a fold"):
        write_text(tmp_path / "file" / "a.txt", "new")
    with pytest.raises(MachineError, match=r"a\.txt cannot be written \(Not a directory\): a part of the path is a fi"):
        write_text(tmp_path / "file" / "below" / "a.txt", "new")
    with pytest.raises(MachineError, match=r"folder cannot be written \(Is a directory\): a folder has this name"):
        write_text(tmp_path / "folder", "new")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "folder"]


def test_a_name_as_long_as_names_may_be_is_written_and_a_longer_one_is_not(tmp_path: Path):
    write_text(tmp_path / ("ä" * 125 + "a.txt"), "whole")
    assert [len(os.fsencode(file.name)) for file in tmp_path.iterdir()] == [255]
    with pytest.raises(UserError, match=r"cannot be written \(File name too long\): use shorter names"):
        write_text(tmp_path / ("a" * 252 + ".txt"), "new")


def test_errors_of_the_work_itself_are_not_taken_for_those_of_writing(tmp_path: Path):
    with pytest.raises(RuntimeError, match="a fault"), atomic_path(tmp_path / "a.txt"):
        raise RuntimeError("a fault")
    with pytest.raises(FileNotFoundError, match="nowhere"), atomic_path(tmp_path / "a.txt"):
        (tmp_path / "nowhere").read_text()
    assert list(tmp_path.iterdir()) == []
