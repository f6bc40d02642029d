"""Records of an archive held against its file; archives that disagree with themselves."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch

from utils.files.zip_records import begin_of_record, plain_records


def records_of(path: Path) -> dict[str, zipfile.ZipInfo]:
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        return plain_records(archive, file)


def written(path: Path, *, compression: int = zipfile.ZIP_STORED, comment: bytes = b"") -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.comment = comment
        archive.writestr("a/first", b"1" * 100)
        archive.writestr("a/second", b"22")
        archive.writestr("a/nothing", b"")
    return path


@pytest.mark.parametrize("comment", [b"", b"a comment"])
def test_records_are_found_where_they_lie(tmp_path: Path, comment: bytes):
    path = written(tmp_path / "a.zip", comment=comment)
    records = records_of(path)
    assert list(records) == ["a/first", "a/second", "a/nothing"]
    with path.open("rb") as file:
        begin = begin_of_record(records["a/second"], file)
    assert path.read_bytes()[begin : begin + 2] == b"22"


def test_archives_of_torch_have_a_long_end(tmp_path: Path):
    torch.save(torch.ones(3), tmp_path / "a.pt")
    assert b"PK\x06\x06" in (tmp_path / "a.pt").read_bytes()
    assert "a/data/0" in records_of(tmp_path / "a.pt")


def test_compressed_records_are_not_plain(tmp_path: Path):
    with pytest.raises(zipfile.BadZipFile, match="record 'a/first' is compressed"):
        records_of(written(tmp_path / "a.zip", compression=zipfile.ZIP_DEFLATED))


def test_bytes_before_an_archive_move_its_directory(tmp_path: Path):
    """Python adds them to every place, readers in C do not: they would see two archives in one file."""
    path = written(tmp_path / "a.zip")
    path.write_bytes(b"PK\x03\x04 something else" + path.read_bytes())
    with pytest.raises(zipfile.BadZipFile, match="directory is not where its end says"):
        records_of(path)


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize("name", ["a/first", "A/First", "a/new\0x"])
def test_names_that_readers_take_for_one_another(tmp_path: Path, name: str):
    path = written(tmp_path / "a.zip")
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("placeholder")
        info.filename = name
        archive.writestr(info, b"3")
    with pytest.raises(zipfile.BadZipFile, match="two records have the name"):
        records_of(path)
