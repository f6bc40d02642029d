"""Whether an object of an .h5 file is a virtual dataset, from the bytes of its header.

HDF5 cannot be asked: to open such a dataset, it walks through the heap that names the sources, where damage can keep it
for ever (see `datasets.slides.h5_texts`). The format is "Disk Format: Level 2A - Data Object Headers" of the HDF5 File
Format Specification, version 3.0.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

_LAYOUT, _CONTINUATION = 0x08, 0x10  # types of messages
_VIRTUAL = 3  # class of a layout
_FIRST_VERSION = 3  # of a layout message whose second byte is its class
_LARGEST_BLOCK, _MOST_BLOCKS = 1 << 16, 64
_OLD = struct.Struct("<BxH4xI4x")  # version, number of messages, bytes of them
_OLD_MESSAGE = struct.Struct("<HH4x")  # type, bytes
_NEW, _NEW_BLOCK = b"OHDR", b"OCHK"
_TIMES, _PHASES, _ORDER = 0x20, 0x10, 0x04  # flags of a new header


def is_virtual(descriptor: int, address: int, base: int) -> bool:
    """Whether the header at an address is that of a virtual dataset; False for one that cannot be understood.

    Args:
        descriptor: of the file.
        address: of the header, counted from the base.
        base: bytes before the HDF5 part of the file.
    """
    try:
        start = os.pread(descriptor, 40, base + address)  # longer than what comes before the first message
        blocks = [_first_block(start, address)]
        is_new, flags = start[: len(_NEW)] == _NEW, start[len(_NEW) + 1]
        for _ in range(_MOST_BLOCKS):
            if not blocks:
                return False
            begin, length = blocks.pop()
            block = os.pread(descriptor, min(length, _LARGEST_BLOCK), base + begin)
            for kind, body in _messages(block, is_new, flags):
                if kind == _LAYOUT and len(body) > 1:
                    return body[0] >= _FIRST_VERSION and body[1] == _VIRTUAL
                if kind == _CONTINUATION:
                    place, length = struct.unpack_from("<QQ", body)
                    skipped = len(_NEW_BLOCK) if is_new else 0
                    blocks.append((place + skipped, length - skipped))
    except (struct.error, IndexError, OverflowError, OSError, ValueError):
        return False  # damage that HDF5 finds as well
    return False


def _first_block(start: bytes, address: int) -> tuple[int, int]:
    """Where the first messages lie, and how many bytes they take."""
    if start[: len(_NEW)] != _NEW:
        _, _, length = _OLD.unpack_from(start)
        return address + _OLD.size, length
    flags = start[len(_NEW) + 1]
    begin = len(_NEW) + 2 + (16 if flags & _TIMES else 0) + (4 if flags & _PHASES else 0)
    width = 1 << (flags & 3)
    return address + begin + width, int.from_bytes(start[begin : begin + width], "little")


def _messages(block: bytes, is_new: bool, flags: int) -> Iterator[tuple[int, bytes]]:
    """Type and content of each message."""
    at = 0
    size = (6 if flags & _ORDER else 4) if is_new else _OLD_MESSAGE.size
    while at + size <= len(block):
        kind, length = struct.unpack_from("<BH" if is_new else "<HH", block, at)
        yield kind, block[at + size : at + size + length]
        at += size + length
