"""The records of a zip archive, held against its file: where each begins, and that no other lies there."""

from __future__ import annotations

import struct
import zipfile
from typing import BinaryIO

_HEAD = b"PK\x03\x04"
_LOCAL_HEADER = struct.Struct("<26xHH")  # the lengths of the name and of the extra field, which follow it
_END = struct.Struct("<4s8xII2x")  # of the directory: its size, and where it begins
_LONG_END = struct.Struct("<4s36xQQ")
_LONG_PLACE = struct.Struct("<4s4xQ4x")  # where the long end begins


def begin_of_record(record: zipfile.ZipInfo, file: BinaryIO) -> int:
    """Where the content of a record begins in the file of its archive; BadZipFile if it is packed or no record."""
    file.seek(record.header_offset)
    header = file.read(_LOCAL_HEADER.size)
    if not header.startswith(_HEAD) or len(header) < _LOCAL_HEADER.size or record.compress_type:
        raise zipfile.BadZipFile(f"record {record.filename[:60]!r} is compressed, or not where the directory says")
    return record.header_offset + len(header) + sum(_LOCAL_HEADER.unpack(header))


def plain_records(archive: zipfile.ZipFile, file: BinaryIO) -> dict[str, zipfile.ZipInfo]:
    """The records of an archive that is read by others too, by name.

    Raises:
        zipfile.BadZipFile: where another reader could see other records than this one: two of one name (whatever the
            letter case), a compressed one, one that lies over another or outside of the file, a second directory.
    """
    _check_directory(archive, file)
    records: dict[str, zipfile.ZipInfo] = {}
    places = []
    for record in archive.infolist():
        name = record.filename.lower()
        if name in records or record.filename != record.orig_filename:
            raise zipfile.BadZipFile(f"two records have the name {record.filename[:60]!r}")
        if record.file_size != record.compress_size:
            raise zipfile.BadZipFile(f"record {record.filename[:60]!r} is compressed, or of another size than it says")
        begin = begin_of_record(record, file)
        records[name] = record
        places.append((record.header_offset, begin + record.file_size))
    places.sort()
    ends = [0, *(end for _, end in places)]
    if any(begin < end for (begin, _), end in zip(places, ends, strict=False)) or ends[-1] > archive.start_dir:
        raise zipfile.BadZipFile("records lie over one another, or behind the end")
    return {record.filename: record for record in records.values()}


def _check_directory(archive: zipfile.ZipFile, file: BinaryIO) -> None:
    """Raise BadZipFile unless the directory that was read is where the end of the file says, as readers in C take it.

    `zipfile` adds what may lie before an archive in its file to every place.
    """
    size = file.seek(0, 2)
    end = size - _END.size - len(archive.comment)
    file.seek(max(0, end - _LONG_PLACE.size))
    place = file.read(min(end, _LONG_PLACE.size))
    mark, length, begin = _END.unpack(file.read(_END.size))
    behind = end
    if place.startswith(b"PK\x06\x07") and len(place) == _LONG_PLACE.size:
        behind = _LONG_PLACE.unpack(place)[1]
        file.seek(behind)
        mark, length, begin = _LONG_END.unpack(file.read(_LONG_END.size))
    if mark not in (b"PK\x05\x06", b"PK\x06\x06") or begin != archive.start_dir or begin + length != behind:
        raise zipfile.BadZipFile("its directory is not where its end says")
