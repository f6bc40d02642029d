from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import pytest

from datasets.make_splits import table_file
from datasets.make_splits.table_file import unpack
from utils.errors import UserError

TEXT = b"case_id,slide_id\n" + b"P1,s1\n" * 500
PATH = Path("labels.csv.zip")


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return content.getvalue()


@pytest.mark.parametrize(
    "members",
    [
        {"../dataset_csv/tcga_blca_all_clean.csv.zip": TEXT},  # as in Patch-GCN
        {"labels": TEXT},
        {"a/": b"", "a/t.txt": TEXT, "__MACOSX/a/._t.txt": b"\x00\x05", "a/.DS_Store": b"\x00"},
        {"t.csv": gzip.compress(TEXT, mtime=0)},
        {"t.zip": zipped({"t.csv": TEXT})},
    ],
)
def test_the_one_file_of_a_zip_is_the_table(members: dict[str, bytes]):
    assert unpack(PATH, zipped(members)) == (TEXT, False, ())


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_all_ways_of_packing(method: int):
    assert unpack(PATH, zipped({"t.csv": TEXT}, method)).content == TEXT


def test_text_gzip_and_workbook_are_told_by_their_first_bytes():
    assert unpack(PATH, TEXT).content == TEXT
    assert unpack(PATH, gzip.compress(TEXT[:600]) + gzip.compress(TEXT[600:])).content == TEXT
    workbook = zipped({"[Content_Types].xml": b"", "xl/workbook.xml": b""})
    assert unpack(Path("t.csv"), workbook) == (workbook, True, ())
    assert unpack(Path("t.zip"), zipped({"t.xlsx": workbook})) == (workbook, True, ())


def test_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    unpack(PATH, zipped({"../escaped.csv": TEXT, "notes.txt": b"x"}))
    assert list(tmp_path.parent.glob("escaped*")) == list(tmp_path.iterdir()) == []


def test_a_table_among_other_files_is_said():
    opened = unpack(PATH, zipped({"README.txt": b"notes", "LICENSE": b"x", "t.tsv": TEXT}))
    assert (opened.content, opened.notes) == (TEXT, ("read t.tsv, one of 3 files in labels.csv.zip",))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, r"holds 0 tables \(found nothing\): expected one"),
        ({"a.csv": TEXT, "b.csv": TEXT}, r"holds 2 tables \(found a\.csv, b\.csv\)"),
        ({"a.txt": TEXT, "b.txt": TEXT}, r"holds 0 tables \(found a\.txt, b\.txt\)"),
        ({"mimetype": b"application/vnd.oasis", "content.xml": b"<x/>"}, "is an OpenDocument file"),
        ({"a.zip": zipped({"b.zip": zipped({"c.zip": zipped({"d.csv": TEXT})})})}, "archive in an archive"),
    ],
)
def test_zips_that_are_refused(members: dict[str, bytes], message: str):
    with pytest.raises(UserError, match=message):
        unpack(PATH, zipped(members))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(9), r"Excel before 2007 \(\.xls\): save it as \.xlsx or \.csv"),
        (b"\n<!DOCTYPE html>\n<html>", r"is a web page: download the table itself"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a pointer of Git LFS, .*: fetch it"),
        (b"%PDF-1.7", "is a PDF"),
        (b"PAR1\x15\x04", "is a Parquet file: save it as .csv"),
        (b"BZh91AY&SY", "is packed by bzip2: unpack it"),
        (gzip.compress(bytes(257) + b"ustar\x0000", mtime=0), "is a tar archive: unpack it, and give the table in it"),
    ],
)
def test_files_that_are_taken_for_tables(content: bytes, message: str):
    with pytest.raises(UserError, match=message):
        unpack(PATH, content)


PK_ONLY = b"PK\x03\x04"


def test_damaged_zips():
    content = zipped({"t.csv": TEXT})
    directory = content.index(b"PK\x01\x02")
    end = content.index(b"PK\x05\x06")
    negative = bytearray(content)
    negative[end + 16 : end + 20] = (2**31).to_bytes(4, "little")  # where the list of members begins
    flipped = bytearray(content)
    flipped[50:60] = b"\xff" * 10
    wrong_sum = bytearray(content)
    wrong_sum[14], wrong_sum[directory + 16] = 0, 0
    for damaged in (content[:40], content[:-30], PK_ONLY + content[9:], negative, flipped, wrong_sum):
        with pytest.raises(UserError, match=r"labels\.csv\.zip is a damaged zip \(.+\): copy or download it again"):
            unpack(PATH, bytes(damaged))


def test_a_way_of_packing_that_nobody_knows():
    content = bytearray(zipped({"t.csv": TEXT}))
    content[8], content[content.index(b"PK\x01\x02") + 10] = 99, 99
    with pytest.raises(UserError, match=r"packed in a way that is not supported \(.+\): zip the table again"):
        unpack(PATH, bytes(content))


def test_a_locked_zip():
    content = bytearray(zipped({"t.csv": TEXT}))
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flag of an encrypted member, in the list of members
    content[6] |= 1  # and before the member itself
    with pytest.raises(UserError, match="locked by a password: zip the table again without one"):
        unpack(PATH, bytes(content))


def test_a_damaged_gzip():
    content = gzip.compress(TEXT)
    flipped = content[:20] + bytes([content[20] ^ 255]) + content[21:]
    for damaged in (content[:-5], content[:30], flipped, content[:-6] + b"\x00" * 6):
        with pytest.raises(UserError, match=r"is a damaged gzip file \(.+\): copy or download it again"):
            unpack(Path("t.csv.gz"), damaged)


def test_bombs_are_refused_by_what_they_declare(monkeypatch: pytest.MonkeyPatch):
    content = bytearray(zipped({"t.csv": TEXT}))
    directory = content.index(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = (4_100_000_000).to_bytes(4, "little")
    with pytest.raises(UserError, match="would unpack to 4,100,000,000 bytes or more"):
        unpack(PATH, bytes(content))
    monkeypatch.setattr(table_file, "_SMALL", 10**5)
    zeros = bytes(10**6)  # packs 1,000 to 1
    for packed in (zipped({"t.csv": zeros}), gzip.compress(zeros)):
        with pytest.raises(UserError, match="would unpack to 1,000,000 bytes or more from"):
            unpack(PATH, packed)
