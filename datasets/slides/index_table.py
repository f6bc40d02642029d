"""The file of the index of features: one line a feature file, CSV behind a line with format number and digest."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch

from datasets.slides.slide_values import SlideValues
from utils.files.atomic import atomic_path

FORMAT = 1  # raised whenever a line means something else, so that other versions of this code look at the files again
COLUMNS = (
    *("name", "size", "mtime_ns", "patches", "width", "dtype", "fingerprint", "coords", "finite"),
    *("mean_length", "patch_um", "repeated_rows", "repeated_places", "chunks"),
)
_FIRST_LINE = re.compile(r"# index of features, format (\d{1,9}), sha256 ([0-9a-f]{64})")
_WORDS: dict[bool | None, str] = {True: "yes", False: "no", None: ""}
_MEANINGS = {word: value for value, word in _WORDS.items()}
_ENCODING = {"encoding": "utf-8", "errors": "surrogateescape"}  # names of files need not be text


class IndexedSlide(NamedTuple):
    """What is known of a feature file, as long as it has this size and time.

    Attributes:
        size: of the file, in bytes; with slideflow's positions beside it, of both files.
        mtime_ns: when it was last modified, in nanoseconds; the later time of both.
        n_patches: M.
        width: D.
        dtype: the type of the features, such as `float16`.
        fingerprint: of the features, as `datasets.slides.fingerprint` makes it.
        has_coords: whether it has (valid) coordinates; None if nobody has looked.
        values: what its numbers say, all of which were found finite; None if they were not all looked at.
        chunks: where the rows of an .h5 file in chunks lie, as `datasets.slides.chunk_places` writes it.
    """

    size: int
    mtime_ns: int
    n_patches: int
    width: int
    dtype: str
    fingerprint: str
    has_coords: bool | None = None
    values: SlideValues | None = None
    chunks: str = ""

    @property
    def n_bytes(self) -> int:
        """Of its features and coordinates in memory."""
        bits = torch.finfo(getattr(torch, self.dtype)).bits
        return self.n_patches * (self.width * bits // 8 + (16 if self.has_coords else 0))

    @property
    def state(self) -> tuple[int, int]:
        """Size and time: with others, the file is looked at again."""
        return self.size, self.mtime_ns


Table = dict[str, IndexedSlide]  # by the name of the file


class UnusableIndexError(Exception):
    """An index that tells nothing; the message says why, after the name of its file."""


def read_table(path: Path) -> Table:
    """Return what an index says; nothing where there is none.

    Raises:
        UnusableIndexError: it is damaged, of another format, or cannot be read.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnusableIndexError("is no file")
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UnusableIndexError(f"cannot be read ({error.strerror})") from error
    first, _, body = content.partition(b"\n")
    found = _FIRST_LINE.fullmatch(first.decode(**_ENCODING))
    if found is None:
        raise UnusableIndexError("is damaged")
    if int(found[1]) != FORMAT:
        later = "a later" if int(found[1]) > FORMAT else "an earlier"
        raise UnusableIndexError(f"was written by {later} version of this code (format {found[1]}, here {FORMAT})")
    if hashlib.sha256(body).hexdigest() != found[2]:
        raise UnusableIndexError("is damaged")
    try:
        rows = csv.reader(io.StringIO(body.decode(**_ENCODING), newline=""), strict=True)
        if tuple(next(rows)) != COLUMNS:
            raise UnusableIndexError("is damaged")
        return {name: _parsed(*cells) for name, *cells in rows}
    except (csv.Error, ValueError, TypeError, KeyError, StopIteration) as error:
        raise UnusableIndexError("is damaged") from error


def write_table(path: Path, table: Mapping[str, IndexedSlide]) -> None:
    """Write an index atomically, sorted by name.

    Raises:
        MachineError: as `atomic_path` does.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([name, *_cells(slide)] for name, slide in sorted(table.items()))
    body = text.getvalue().encode(**_ENCODING)
    first = f"# index of features, format {FORMAT}, sha256 {hashlib.sha256(body).hexdigest()}\n"
    with atomic_path(path) as temporary:
        temporary.write_bytes(first.encode("ascii") + body)


def _cells(slide: IndexedSlide) -> list[str]:
    """A float is the shortest text that reads back as the same, and None an empty cell."""
    of_file = [slide.size, slide.mtime_ns, slide.n_patches, slide.width, slide.dtype, slide.fingerprint]
    values = [None] * len(SlideValues._fields) if slide.values is None else slide.values
    cells = [*of_file, _WORDS[slide.has_coords], _WORDS[slide.values is not None or None], *values, slide.chunks]
    return ["" if cell is None else str(cell) for cell in cells]


def _parsed(
    size: str,
    mtime_ns: str,
    n_patches: str,
    width: str,
    dtype: str,
    fingerprint: str,
    coords: str,
    finite: str,
    mean_length: str,
    patch_um: str,
    repeated_rows: str,
    repeated_places: str,
    chunks: str,
) -> IndexedSlide:
    values = None
    if _MEANINGS[finite]:
        side = float(patch_um) if patch_um else None
        values = SlideValues(float(mean_length), side, repeated_rows or None, repeated_places or None)
    numbers = int(size), int(mtime_ns), int(n_patches), int(width)
    return IndexedSlide(*numbers, dtype, fingerprint, _MEANINGS[coords], values, chunks)
