"""Where the records of a zip archive begin in its file."""

from __future__ import annotations

import struct
import zipfile
from typing import BinaryIO

_HEAD = b"PK\x03\x04"
_LOCAL_HEADER = struct.Struct("<26xHH")  # the lengths of the name and of the extra field, which follow it


def begin_of_record(record: zipfile.ZipInfo, file: BinaryIO) -> int:
    """Where the content of a record begins in the file of its archive; BadZipFile if it is packed or no record."""
    file.seek(record.header_offset)
    header = file.read(_LOCAL_HEADER.size)
    if not header.startswith(_HEAD) or len(header) < _LOCAL_HEADER.size or record.compress_type:
        raise zipfile.BadZipFile
    return record.header_offset + len(header) + sum(_LOCAL_HEADER.unpack(header))
