"""Small pyramids as tiled TIFF files that openslide opens, for tests."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

TILE = 64
_SHORT, _LONG, _RATIONAL = 3, 4, 5


def halve(pixels: np.ndarray, factor: int = 2) -> np.ndarray:
    """The means of squares of `factor` pixels; the size must be a multiple of it."""
    height, width, _ = pixels.shape
    squares = pixels.reshape(height // factor, factor, width // factor, factor, 3)
    return squares.mean(axis=(1, 3)).round().astype(np.uint8)


def write_tiled_tiff(path: Path, levels: Sequence[np.ndarray], mpp: float | None = None) -> Path:
    """Write (height, width, 3) uint8 images, level 0 first, as uncompressed tiles of 64 pixels.

    `mpp`: micrometres per pixel of level 0, as pixels per centimetre.
    """
    content = bytearray(b"II*\0" + bytes(4))
    next_offset_at = 4
    for index, pixels in enumerate(levels):
        height, width, _ = pixels.shape
        offsets = []
        for top in range(0, height, TILE):
            for left in range(0, width, TILE):
                tile = np.full((TILE, TILE, 3), 255, dtype=np.uint8)
                part = pixels[top : top + TILE, left : left + TILE]
                tile[: part.shape[0], : part.shape[1]] = part
                offsets.append(len(content))
                content += tile.tobytes()
        tags: list[tuple[int, int, list[int]]] = [
            (254, _LONG, [int(index > 0)]),  # a smaller version of another image
            (256, _LONG, [width]),
            (257, _LONG, [height]),
            (258, _SHORT, [8, 8, 8]),
            (259, _SHORT, [1]),  # not compressed
            (262, _SHORT, [2]),  # RGB
            (277, _SHORT, [3]),
            (284, _SHORT, [1]),
            (322, _LONG, [TILE]),
            (323, _LONG, [TILE]),
            (324, _LONG, offsets),
            (325, _LONG, [TILE * TILE * 3] * len(offsets)),
        ]
        if mpp is not None and index == 0:
            per_centimetre = [round(1e4 / mpp * 1000), 1000]
            tags += [(282, _RATIONAL, per_centimetre), (283, _RATIONAL, per_centimetre), (296, _SHORT, [3])]
        next_offset_at = _append_directory(content, sorted(tags), next_offset_at)
    path.write_bytes(content)
    return path


def _append_directory(content: bytearray, tags: list[tuple[int, int, list[int]]], next_offset_at: int) -> int:
    """Add an image file directory and link it; returns where the offset of the next one belongs."""
    entries = b""
    for tag, kind, values in tags:
        data = struct.pack(f"<{len(values)}{'H' if kind == _SHORT else 'I'}", *values)
        count = len(values) // (2 if kind == _RATIONAL else 1)
        if len(data) > 4:
            content += bytes(len(content) % 2)
            offset = len(content)
            content += data
            data = struct.pack("<I", offset)
        entries += struct.pack("<HHI", tag, kind, count) + data.ljust(4, b"\0")
    content += bytes(len(content) % 2)
    struct.pack_into("<I", content, next_offset_at, len(content))
    content += struct.pack("<H", len(tags)) + entries + bytes(4)
    return len(content) - 4
