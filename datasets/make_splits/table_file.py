"""The bytes of a table: of a file as it stands, or of the one file in a zip or gzip, known by its first bytes."""

from __future__ import annotations

import gzip
import io
import lzma
import struct
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

from datasets.folds.fold_checks import first_ids
from utils.errors import UserError
from utils.files.phrases import counted

_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_GZIP = b"\x1f\x8b"
_DEEPEST = 3  # a .csv.gz in a zip is two deep
_LARGEST = 4 * 10**9  # bytes, unpacked: 10,000 rows of 20,000 genes take half of it
# What packs better than this and is not small is no table: deflate reaches 1032, a table of text and numbers 3 to 30.
_HIGHEST_RATIO, _SMALL = 200, 10**8
_PIECE = 2**24
_TABLE_ENDINGS = (".csv", ".tsv", ".xlsx", ".csv.gz", ".tsv.gz", ".csv.zip")
_WEB_PAGE = ("a web page", "download the table itself (on GitHub: the raw file)")
# Files that are taken for tables: their first bytes, what they are, and what to do.
_OTHERS = {
    b"\xd0\xcf\x11\xe0": ("a workbook of Excel before 2007 (.xls)", "save it as .xlsx or .csv"),
    b"%PDF": ("a PDF", "give the table as .csv or .xlsx"),
    **dict.fromkeys((b"<!doctype html", b"<!DOCTYPE html", b"<html"), _WEB_PAGE),
    b"version https://git-lfs": ("a pointer of Git LFS, not the table", "fetch it with git lfs pull"),
    b"BZh91AY": ("packed by bzip2", "unpack it, or pack it as .gz or .zip"),
    b"\xfd7zXZ": ("packed by xz", "unpack it, or pack it as .gz or .zip"),
    b"\x28\xb5\x2f\xfd": ("packed by zstd", "unpack it, or pack it as .gz or .zip"),
    b"7z\xbc\xaf": ("a 7z archive", "unpack it, or pack it as .gz or .zip"),
    b"Rar!": ("a RAR archive", "unpack it, or pack it as .gz or .zip"),
    b"PAR1\x15": ("a Parquet file", "save it as .csv"),
    b"\x89HDF": ("an HDF5 file", "give the table as .csv"),
    b"RDX3\n": ("an R data file", "save it as .csv"),
}


class TableFile(NamedTuple):
    """What a file holds once it is unpacked.

    Attributes:
        content: the bytes of the table.
        is_workbook: whether they are an .xlsx workbook; text otherwise.
        notes: what was chosen of several things, each one sentence.
    """

    content: bytes
    is_workbook: bool = False
    notes: tuple[str, ...] = ()


def unpack(path: Path, content: bytes) -> TableFile:
    """Return the table in the content of a file, without writing anything to the disk.

    What the file is called does not matter, nor what a zip calls its member: the first bytes tell a zip, a gzip and a
    workbook. Folders, hidden files and `__MACOSX` in a zip are ignored; of several files the one that is called like a
    table (.csv, .tsv, .xlsx) is taken.

    Raises:
        UserError: a damaged or locked archive, one of no or several tables, one that would unpack to an absurd size,
            and files that are no table.
    """
    notes: tuple[str, ...] = ()
    for _ in range(_DEEPEST):
        if content.startswith(_ZIP):
            opened = _unzipped(path, content)
            notes += opened.notes
            if opened.is_workbook:
                return opened._replace(notes=notes)
            content = opened.content
        elif content.startswith(_GZIP):
            content = _ungzipped(path, content)
        else:
            break
    for first_bytes, (what, advice) in _OTHERS.items():
        if content[:64].lstrip().startswith(first_bytes):
            raise UserError(f"the label table {path} is {what}: {advice}")
    if content[257:262] == b"ustar":
        raise UserError(f"the label table {path} is a tar archive: unpack it, and give the table in it")
    if content.startswith((*_ZIP, _GZIP)):
        raise UserError(f"{path} is an archive in an archive in an archive: unpack it, and give the table itself")
    return TableFile(content, notes=notes)


def _unzipped(path: Path, content: bytes) -> TableFile:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            if "[Content_Types].xml" in names:
                _refuse_bomb(path, sum(info.file_size for info in archive.infolist()), len(content))
                return TableFile(content, is_workbook=True)
            if "mimetype" in names and "content.xml" in names:
                raise UserError(f"the label table {path} is an OpenDocument file: save it as .xlsx or .csv")
            member, notes = _member(path, archive)
            if member.flag_bits & 1:
                raise UserError(f"{path} is locked by a password: zip the table again without one")
            _refuse_bomb(path, member.file_size, member.compress_size)
            return TableFile(archive.read(member), notes=notes)
    except UserError:
        raise
    except NotImplementedError as error:
        raise UserError(
            f"{path} is packed in a way that is not supported ({error}): zip the table again, or give it unpacked"
        ) from error
    # What zipfile raises for bytes that are damaged: ValueError for a negative position, struct.error for a header cut
    # short, RuntimeError for a flag that it does not know, OSError of bzip2.
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        struct.error,
        EOFError,
        RuntimeError,
        ValueError,
        OSError,
    ) as error:
        raise UserError(f"{path} is a damaged zip ({error}): copy or download it again") from error


def _member(path: Path, archive: zipfile.ZipFile) -> tuple[zipfile.ZipInfo, tuple[str, ...]]:
    """The table among the files of a zip."""
    files = [info for info in archive.infolist() if not info.filename.endswith("/") and not _is_hidden(info.filename)]
    if len(files) == 1:
        return files[0], ()
    tables = [info for info in files if info.filename.lower().endswith(_TABLE_ENDINGS)]
    if len(tables) == 1:
        return tables[0], (f"read {tables[0].filename}, one of {len(files)} files in {path.name}",)
    found = first_ids([info.filename for info in tables or files]) or "nothing"
    raise UserError(
        f"the zip {path} holds {counted(len(tables), 'table')} (found {found}): expected one; zip the table alone"
    )


def _is_hidden(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return "__MACOSX" in parts or parts[-1].startswith(".")


def _ungzipped(path: Path, content: bytes) -> bytes:
    pieces, size = [], 0
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            while piece := file.read(_PIECE):
                pieces.append(piece)
                size += len(piece)
                _refuse_bomb(path, size, len(content))
    except (zlib.error, EOFError, gzip.BadGzipFile, struct.error) as error:
        raise UserError(f"{path} is a damaged gzip file ({error}): copy or download it again") from error
    return b"".join(pieces)


def _refuse_bomb(path: Path, size: int, packed: int) -> None:
    if size > _LARGEST or (size > _SMALL and size > _HIGHEST_RATIO * packed):
        raise UserError(
            f"{path} would unpack to {size:,} bytes or more from {packed:,}, which no label table does: give a table "
            "of the columns that are needed"
        )
