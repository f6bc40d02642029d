"""A pack that is being written: slide after slide, so that what an interrupted call has packed is kept."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from tqdm import tqdm

from datasets.pack.place import JOURNAL
from datasets.slides.file_state import State
from datasets.slides.pack_folder import PARTIAL, SLIDES, TABLE
from datasets.slides.pack_table import (
    PackedSlide,
    aligned,
    cells_of,
    lines_of,
    parsed,
    rows_of,
    table_body,
    write_pack_table,
)
from datasets.slides.packed_slide import BEGIN, bytes_of, digest_of, first_line, mapped_content
from datasets.slides.slide_content import SlideContent
from utils.errors import cannot_write


class UnfinishedPack:
    """The files of a pack under hidden names, until `finish` gives them their own; open in a block.

    Args:
        folder: of the pack, which this process alone writes.

    Attributes:
        slides: that it holds, in their order.

    Raises:
        MachineError: from all that writes. What is written stays, for the next call.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.slides = folder, list[PackedSlide]()
        self._partial, self._journal = folder / PARTIAL, folder / JOURNAL

    def __enter__(self) -> UnfinishedPack:
        """Open the files; those that an interrupted call has left are kept."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if self._journal.exists() and not (self.folder / TABLE).exists() and (self.folder / SLIDES).exists():
                (self.folder / SLIDES).replace(self._partial)  # stopped between the steps of `finish`
            self._data = os.open(self._partial, os.O_RDWR | os.O_CREAT, 0o666)
            self._lines = os.open(self._journal, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        except OSError as error:
            raise cannot_write(self.folder, error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the files; without a slide nothing is left of them."""
        os.close(self._data)
        os.close(self._lines)
        if not self.slides:
            self._partial.unlink(missing_ok=True)
            self._journal.unlink(missing_ok=True)
            with suppress(OSError):  # it holds a pack
                self.folder.rmdir()

    def take_up(self, sources: Sequence[tuple[Path, State | None]]) -> None:
        """Keep the slides that an interrupted call has written, as far as they are those of these files and states.

        Their digests are compared: after a power cut not all of them need be on the disk.
        """
        written, size = _slides_of(self._journal), os.fstat(self._data).st_size
        expected = zip(written, sources, strict=False)
        for slide, source in tqdm(expected, "packed before", len(written), leave=False, disable=None, unit="slide"):
            is_next = (slide.source, slide.state) == source and slide.begin == self._end and slide.end <= size
            if not is_next or digest_of(mapped_content(self._data, slide)) != slide.blake2b:
                break
            self.slides.append(slide)
        try:
            os.ftruncate(self._data, self._end)
            os.ftruncate(self._lines, 0)
        except OSError as error:
            raise cannot_write(self._partial, error) from error
        self._write(self._journal, self._lines, lines_of(map(cells_of, self.slides)))

    def add(self, slide: PackedSlide, content: SlideContent) -> None:
        """Write what a slide holds behind the others; where it begins is seen to here."""
        slide = slide._replace(begin=self._end)
        os.lseek(self._data, slide.begin, os.SEEK_SET)
        for tensor in (content.features, content.coords):
            if tensor is not None:
                numbers = bytes_of(tensor)
                self._write(self._partial, self._data, numbers)
                self._write(self._partial, self._data, bytes(aligned(len(numbers)) - len(numbers)))
        self._write(self._journal, self._lines, lines_of([cells_of(slide)]))
        self.slides.append(slide)

    def finish(self) -> None:
        """Make it a pack, in the place of one that is there."""
        body = table_body(self.slides)
        os.lseek(self._data, 0, os.SEEK_SET)
        self._write(self._partial, self._data, first_line(hashlib.sha256(body).hexdigest()))
        try:
            os.fsync(self._data)
            (self.folder / TABLE).unlink(missing_ok=True)  # never a table beside the slides of another
            self._partial.replace(self.folder / SLIDES)
        except OSError as error:
            raise cannot_write(self.folder, error) from error
        write_pack_table(self.folder / TABLE, body)
        self._journal.unlink(missing_ok=True)

    @property
    def _end(self) -> int:
        return self.slides[-1].end if self.slides else BEGIN

    def _write(self, path: Path, descriptor: int, data: bytes | memoryview) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(descriptor, left) :]
        except OSError as error:
            raise cannot_write(path, error) from error


def _slides_of(journal: Path) -> list[PackedSlide]:
    """The slides of whole lines, up to the first that is damaged."""
    slides = []
    try:
        lines = journal.read_bytes()
        for cells in rows_of(lines[: lines.rfind(b"\n") + 1]):
            slides.append(parsed(cells))
    except (OSError, csv.Error, ValueError, TypeError, OverflowError, RecursionError):
        pass
    return slides
