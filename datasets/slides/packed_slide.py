"""A pack: the slides of feature files one behind the other in one file, mapped by all who read them.

A pack is a folder with `slides.bin`, the numbers, and `pack.csv`, what and where they are. Its slide S goes by the path
`PACK/S.packed`, at which there is no file. `datasets.pack` writes packs.

A slide is mapped each time it is read, copy on write: what is changed in it stays with who changes it. Of 10,000 x 768
float16 in the page cache, mapping and a look at each page took 0.16 ms, and to read it into memory 3.5 ms.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np
import torch

from datasets.slides.damaged_slide import reading
from datasets.slides.file_rows import read_rows_of
from datasets.slides.pack_folder import PARTIAL, SLIDES, TABLE
from datasets.slides.pack_table import PackedSlide, read_pack_table
from datasets.slides.slide_content import SlideContent
from datasets.slides.slide_ids import PACKED_ENDING, ending_of, slide_id_of
from utils.errors import UserError, cannot_read

BEGIN = 128  # bytes before the first slide: a line that names the table; a multiple of 64
_Stamp = tuple[int, int, int]


class Pack:
    """An open pack.

    Args:
        folder: of its files, which stay open: a pack that takes its place later is another one.

    Attributes:
        slides: {slide id: what and where it is}.
        n_bytes: of the file of the slides.

    Raises:
        UserError: a file cannot be read, was changed or cut short, or belongs to another pack.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        slides, digest = read_pack_table(folder / TABLE)
        self.slides = {slide.slide_id: slide for slide in slides}
        path = folder / SLIDES
        try:
            self._descriptor = os.open(path, os.O_RDONLY)
            weakref.finalize(self, os.close, self._descriptor)
            first, self.n_bytes = os.pread(self._descriptor, BEGIN, 0), os.fstat(self._descriptor).st_size
        except OSError as error:
            raise cannot_read(path, error) from error
        if first != first_line(digest):
            raise UserError(f"{path} does not belong to {TABLE} beside it: copy both files, or pack the features again")
        expected = max((slide.end for slide in slides), default=BEGIN)
        if self.n_bytes != expected:
            raise UserError(
                f"{path} has {self.n_bytes:,} bytes where {TABLE} says {expected:,}: if it was cut short, copy it "
                "or pack the features again"
            )

    def content(self, slide: PackedSlide) -> SlideContent:
        """Its features (M, D), coordinates (M, 2) and attributes, mapped from the file."""
        return mapped_content(self._descriptor, slide)

    def read_rows(self, slide: PackedSlide, rows: np.ndarray) -> torch.Tensor:
        """Features (len(rows), D) of these patches, read from where they lie."""
        taken = torch.empty((len(rows), slide.width), dtype=slide.torch_dtype)
        row_bytes = slide.features_bytes // slide.n_patches
        read_rows_of(self._descriptor, slide.begin + rows * row_bytes, taken.view(torch.uint8).numpy())
        return taken

    def check(self, slide: PackedSlide) -> None:
        """Raise UserError if the numbers of a slide are not those that were packed."""
        if digest_of(self.content(slide)) != slide.blake2b:
            raise UserError(
                f"{self.folder / SLIDES} does not hold slide {slide.slide_id} as it was packed (its digest differs): "
                "copy or pack the features again"
            )


class OpenedSlide(NamedTuple):
    """A slide of an open pack."""

    pack: Pack
    slide: PackedSlide

    @property
    def shape(self) -> tuple[int, int]:
        """(M, D)."""
        return self.slide.n_patches, self.slide.width

    @property
    def dtype(self) -> torch.dtype:
        """Of the features."""
        return self.slide.torch_dtype

    @property
    def n_bytes(self) -> int:
        """Of features and coordinates."""
        return self.slide.features_bytes + self.slide.coords_bytes

    def read_rows(self, rows: np.ndarray) -> torch.Tensor:
        """Features (len(rows), D) of these patches."""
        with reading(self.pack.folder / SLIDES, "a pack"):
            return self.pack.read_rows(self.slide, rows)


def open_pack(folder: Path, *, as_it_is: bool = False) -> Pack:
    """The pack of a folder, which is opened once in a process; `as_it_is` opens it again if another took its place.

    Raises:
        UserError: as `Pack` does, and for a folder that is no pack, or one that is not whole yet.
    """
    with _opening:
        pack, stamp = _opened.get(folder, (None, None))
        if pack is None or (as_it_is and stamp != _stamp_of(folder)):
            stamp = _stamp_of(folder)
            if stamp is None:
                unfinished = (folder / PARTIAL).is_file()
                what = "a pack that is not whole: call datasets.pack again" if unfinished else "no pack: give one"
                raise UserError(f"{folder} is {what}")
            pack = Pack(folder)
            _opened[folder] = pack, stamp
        return pack


def is_packed(path: Path) -> bool:
    """Whether a path is that of a slide of a pack."""
    return ending_of(path) == PACKED_ENDING


def packed_path(folder: Path, slide_id: str) -> Path:
    """The path that a slide of a pack goes by."""
    return folder / f"{slide_id}{PACKED_ENDING}"


def opened_slide(path: Path) -> OpenedSlide:
    """The slide of a path.

    Raises:
        UserError: as `open_pack` does, and for a slide that is not in the pack.
    """
    pack, slide_id = open_pack(path.parent), slide_id_of(path)
    if slide_id not in pack.slides:
        raise UserError(f"the pack {path.parent} does not hold slide {slide_id}: pack the features again")
    return OpenedSlide(pack, pack.slides[slide_id])


@contextmanager
def open_packed(path: Path) -> Iterator[OpenedSlide]:
    """Open a slide to read some of its rows; UserError as `opened_slide` raises it."""
    yield opened_slide(path)


def load_packed(path: Path) -> SlideContent:
    """What the slide holds; UserError as `opened_slide` raises it."""
    pack, slide = opened_slide(path)
    with reading(pack.folder / SLIDES, "a pack"):
        return pack.content(slide)


def check_packed(path: Path) -> None:
    """Raise UserError if the numbers of the slide are not those that were packed."""
    pack, slide = opened_slide(path)
    pack.check(slide)


def mapped_content(descriptor: int, slide: PackedSlide) -> SlideContent:
    """What a slide holds, mapped from an open file of slides."""
    features = _mapped(descriptor, slide.begin, slide.features_bytes).view(slide.torch_dtype)
    coords = None
    if slide.has_coords:
        coords = _mapped(descriptor, slide.coords_begin, slide.coords_bytes).view(torch.int64).view(-1, 2)
    return SlideContent(features.view(slide.n_patches, slide.width), coords, dict(slide.attributes))


def digest_of(content: SlideContent) -> str:
    """BLAKE2b, of 16 bytes, of features and coordinates: 0.55 GB/s, where SHA-256 took 0.33 GB/s on the same core."""
    digest = hashlib.blake2b(bytes_of(content.features), digest_size=16)
    if content.coords is not None:
        digest.update(bytes_of(content.coords))
    return digest.hexdigest()


def bytes_of(tensor: torch.Tensor) -> memoryview:
    """The bytes of a tensor, row by row; of one that lies in memory like that, without a copy."""
    return tensor.contiguous().view(torch.uint8).reshape(-1).numpy().data


def first_line(digest: str) -> bytes:
    """What the file of the slides begins with, where its table has this digest."""
    return f"# slides of a pack, table sha256 {digest}\n".encode("ascii").ljust(BEGIN, b"\0")


def _mapped(descriptor: int, begin: int, n_bytes: int) -> torch.Tensor:
    page = begin // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
    pages = mmap.mmap(descriptor, begin - page + n_bytes, access=mmap.ACCESS_COPY, offset=page)
    return torch.frombuffer(pages, dtype=torch.uint8, count=n_bytes, offset=begin - page)


def _stamp_of(folder: Path) -> _Stamp | None:
    try:
        found = (folder / TABLE).stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


_opened: dict[Path, tuple[Pack, _Stamp | None]] = {}
_opening = Lock()
