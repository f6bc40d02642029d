"""Damage within a container whose own checks still pass: archives, compressed files, pickles, headers with a length."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import pickletools
import warnings
import zipfile
import zlib
from collections.abc import Callable
from itertools import pairwise
from random import Random

from tests.fuzz.byte_mutations import INTEGERS

Mutation = Callable[[bytes, Random], bytes]
_RECORDS = (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x07\x08")
_PNG = b"\x89PNG\r\n\x1a\n"
_FIELDS = 46  # bytes of a record of the directory before its name
_NAMES = ("../x", "/x", "", "a\0b", "data.pkl", "data/0", "byteorder", "\u0308", "x" * 70_000, "x.csv", "a/" * 500)


def mutate_zip(data: bytes, rng: Random, inner: Mutation) -> bytes | None:
    """A zip whose directory or members changed, with right checksums; None for no zip that can be read."""
    if not data.startswith(b"PK"):
        return None
    if rng.random() < 0.3:
        return _other_field(data, rng)
    members = _members(data)
    if not members:
        return None
    place = rng.randrange(len(members))
    name, content, compression = members[place]
    kind = rng.random()
    if kind < 0.7:
        members[place] = (name, inner(content, rng), compression)
    elif kind < 0.76:
        del members[place]
    elif kind < 0.82:
        members.append((name, rng.choice(members)[1], compression))
    elif kind < 0.88:
        members[place] = (name.rpartition("/")[0] + "/" + rng.choice(_NAMES), content, compression)
    elif kind < 0.94:
        other = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
        members[place] = (name, content, other)
    else:
        members[place] = (name, rng.choice((b"", bytes(1 << 24), content * 2)), zipfile.ZIP_DEFLATED)
    return _zip(members)


def mutate_gzip(data: bytes, rng: Random, inner: Mutation) -> bytes | None:
    """A gzip file of other content; None for no such file."""
    if not data.startswith(b"\x1f\x8b"):
        return None
    try:
        return gzip.compress(inner(gzip.decompress(data), rng), mtime=0)
    except (OSError, EOFError, zlib.error):
        return None


def mutate_pickle(data: bytes, rng: Random, inner: Mutation) -> bytes | None:
    """A pickle with another number, text or name in it; None for no pickle."""
    if data[:1] != b"\x80":
        return None
    found = []
    try:
        operations = list(pickletools.genops(data))
    except Exception:  # noqa: BLE001  what cannot be taken apart is damaged as bytes are
        return None
    for (operation, value, place), (_, _, end) in pairwise(operations):
        if place is not None and end is not None and operation.name.startswith(("BININT", "LONG1", "BINUNICODE")):
            found.append((value, place, end))
    if not found:
        return None
    value, place, end = rng.choice(found)
    new: object = rng.choice((*INTEGERS, 10**15, -(10**15), 10**30)) if isinstance(value, int) else rng.choice(_NAMES)
    if rng.random() < 0.2:
        new = rng.choice((None, True, 1.5, "a", b"a", (), -1))
    return data[:place] + pickle.dumps(new, protocol=2)[2:-1] + data[end:]


def mutate_headed(data: bytes, rng: Random, inner: Mutation) -> bytes | None:
    """A safetensors file with another header, of the right length; None for no such file."""
    length = int.from_bytes(data[:8], "little")
    header = data[8 : 8 + length]
    try:
        json.loads(header)
    except (ValueError, RecursionError):
        return None
    header = inner(header, rng)
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def mutate_png(data: bytes, rng: Random, inner: Mutation) -> bytes | None:
    """A PNG file of which one chunk is another, with a right checksum; None for no PNG."""
    if not data.startswith(_PNG):
        return None
    chunks, place = [], len(_PNG)
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        chunks.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + length]))
        place += 12 + length
    if not chunks:
        return None
    number = rng.randrange(len(chunks))
    kind, content = chunks[number]
    chunks[number] = (kind, inner(content, rng))
    if rng.random() < 0.1:
        chunks.insert(number, rng.choice(chunks))
    return _PNG + b"".join(
        len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")
        for kind, content in chunks
    )


ALL = (mutate_zip, mutate_gzip, mutate_pickle, mutate_png, mutate_headed)


def _members(data: bytes) -> list[tuple[str, bytes, int]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found = archive.infolist()
            if sum(info.file_size for info in found) > 1 << 25:
                return []
            return [(info.filename, archive.read(info), info.compress_type) for info in found]
    except Exception:  # noqa: BLE001  a damaged archive is damaged further as bytes are; zipfile raises a dozen kinds
        return []


def _zip(members: list[tuple[str, bytes, int]]) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w") as archive:
        warnings.simplefilter("ignore")  # of two members of one name
        for name, content, compression in members:
            info = zipfile.ZipInfo(name[:60_000].replace("\ud800", "?"))
            archive.writestr(info, content, compression if compression in (0, 8, 12, 14) else 0)
    return file.getvalue()


def _other_field(data: bytes, rng: Random) -> bytes:
    """A number in a record of the archive, such as a size or an offset."""
    record, places, place = rng.choice(_RECORDS), [], -1
    while (place := data.find(record, place + 1)) >= 0:
        places.append(place)
    place = (rng.choice(places) if places else 0) + rng.randrange(4, _FIELDS)
    width = rng.choice((2, 4, 8))
    value = rng.choice(INTEGERS) % (1 << 8 * width)
    return data[:place] + value.to_bytes(width, "little") + data[place + width :]
