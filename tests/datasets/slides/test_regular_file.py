"""What is no regular file is never opened."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from datasets.slides.features import read_header, read_slide
from datasets.slides.regular_file import check_regular_file
from utils.errors import UserError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: the name of a socket may not be long."""
    monkeypatch.chdir(tmp_path)
    return Path()


def make(path: Path, kind: str) -> None:
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a socket":
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(str(path))
    elif kind == "a device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()


@pytest.mark.parametrize("ending", ["h5", "pt", "npy", "npz", "safetensors"])
@pytest.mark.parametrize("kind", ["a pipe", "a socket", "a device", "a folder"])
def test_other_kinds_are_named(folder: Path, kind: str, ending: str):
    path = folder / f"s.{ending}"
    make(path, kind)
    for read in (read_slide, read_header):
        with pytest.raises(UserError, match=rf"feature file s\.{ending} does not exist, there is {kind} of this name"):
            read(path)


def test_links(folder: Path):
    (folder / "loop.h5").symlink_to("loop.h5")
    with pytest.raises(UserError, match=r"loop\.h5 cannot be read \(Too many levels of symbolic links\)"):
        check_regular_file(folder / "loop.h5")
    (folder / "broken.h5").symlink_to("gone.h5")
    with pytest.raises(UserError, match=r"broken\.h5 is a link to gone\.h5, which does not exist"):
        check_regular_file(folder / "broken.h5")
    (folder / "real.h5").write_bytes(b"")
    (folder / "link.h5").symlink_to("real.h5")
    check_regular_file(folder / "link.h5")


def test_names_that_cannot_be(folder: Path):
    with pytest.raises(UserError, match="does not exist: give the path of an existing file"):
        check_regular_file(folder / "absent.h5")
    (folder / "file").write_bytes(b"")
    with pytest.raises(UserError, match="does not exist"):
        check_regular_file(folder / "file" / "s.h5")
    with pytest.raises(UserError, match=r"cannot be read \(File name too long\): use shorter names"):
        check_regular_file(folder / f"{'a' * 300}.h5")
