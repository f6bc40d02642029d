"""A table or folder that the system does not give: its reason, and what to do about that, not about the content."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from datasets.folds.splits import find_folds, read_fold
from datasets.make_splits.label_table import read_label_table
from datasets.slides.slide_files import find_slides
from utils.errors import UserError
from utils.files.csv_table import read_csv
from utils.files.json_object import read_json_object

FILES: list[tuple[str, Callable[[Path], Any]]] = [
    ("fold0.csv", lambda path: read_fold(path, "cls")),
    ("labels.csv", read_label_table),
    ("table.csv", lambda path: read_csv(path, advice="write it again")),
    ("run.json", lambda path: read_json_object(path, advice="write it again")),
]


@pytest.mark.parametrize(("name", "read"), FILES, ids=[name for name, _ in FILES])
def test_the_advice_is_about_what_the_system_said(tmp_path: Path, name: str, read: Callable[[Path], Any]):
    path = tmp_path / name
    path.symlink_to(path)
    with pytest.raises(UserError) as caught:
        read(path)
    assert str(caught.value) == (
        f"{path} cannot be read ({os.strerror(errno.ELOOP)}): a link leads to itself: repair it"
    )


@pytest.mark.parametrize(("name", "read"), FILES, ids=[name for name, _ in FILES])
def test_without_a_file_the_advice_is_the_reader_s_own(tmp_path: Path, name: str, read: Callable[[Path], Any]):
    (tmp_path / "file").touch()
    (tmp_path / "folder" / name).mkdir(parents=True)
    for path, number in (
        (tmp_path / name, errno.ENOENT),
        (tmp_path / "file" / name, errno.ENOTDIR),
        (tmp_path / "folder" / name, errno.EISDIR),
    ):
        with pytest.raises(UserError, match=r"give an existing file|write it again") as caught:
            read(path)
        assert f"cannot be read ({os.strerror(number)})" in str(caught.value)


@pytest.mark.parametrize("read", [find_folds, lambda folder: find_slides([folder])], ids=["folds", "slides"])
def test_a_folder_on_a_failing_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[Path], Any]):
    def fail(_: Path) -> NoReturn:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(tmp_path))

    monkeypatch.setattr(Path, "iterdir", fail)
    monkeypatch.setattr(os, "scandir", fail)
    with pytest.raises(UserError) as caught:
        read(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} cannot be read ({os.strerror(errno.EIO)}): check the disk, or the connection to it"
    )
