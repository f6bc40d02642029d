"""Files of torch.save with another pickle, or other records, than torch wrote: for tests of what is refused."""

from __future__ import annotations

import pickletools
import zipfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch


def rewritten(
    path: Path,
    value: Any,
    *,
    pickled: Callable[[bytes], bytes] = lambda content: content,
    compression: int = zipfile.ZIP_STORED,
    replace: dict[str, bytes | None] | None = None,
    more: tuple[tuple[str, bytes], ...] = (),
) -> Path:
    """Save a value, then change its archive.

    Args:
        path: of the file.
        value: for torch.save.
        pickled: makes the new data.pkl from the old one.
        compression: of all records.
        replace: the content of records by the end of their names; None removes one.
        more: further records.
    """
    torch.save(value, path)
    with zipfile.ZipFile(path) as source:
        records = [(record.filename, source.read(record)) for record in source.infolist()]
    folder = records[0][0].partition("/")[0]
    with zipfile.ZipFile(path, "w") as target:
        for name, content in records:
            new = pickled(content) if name.endswith("/data.pkl") else content
            for end, other in (replace or {}).items():
                new = other if name.endswith(end) else new
            if new is not None:
                target.writestr(zipfile.ZipInfo(name), new, compression)
        for name, content in more:
            target.writestr(zipfile.ZipInfo(f"{folder}/{name}"), content, compression)
    return path


def with_number(old: int, new: int) -> Callable[[bytes], bytes]:
    """A pickle with another number in each of its places."""

    def change(content: bytes) -> bytes:
        parts, begin = [], 0
        operations = list(pickletools.genops(content))
        for (operation, value, place), (_, _, end) in pairwise(operations):
            if operation.name.startswith("BININT") and value == old:
                assert place is not None
                assert end is not None
                parts += [content[begin:place], _number(new)]
                begin = end
        assert parts, f"{old} is not in the pickle"
        return b"".join([*parts, content[begin:]])

    return change


def _number(value: int) -> bytes:
    packed = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(packed)]) + packed
