"""The table of a pack, `pack.csv`: what each slide of it is and where it lies, behind a line with format and digest."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from datasets.slides.slide_ids import slide_id_of
from utils.errors import UserError, cannot_read
from utils.files.atomic import atomic_path

FORMAT = 1
COLUMNS = (
    *("folder", "name", "size", "mtime_ns", "patches", "width", "dtype", "fingerprint", "coords"),
    *("mean_length", "patch_um", "repeated_rows", "repeated_places", "attributes", "begin", "blake2b"),
)
ALIGNED = 64  # bytes: features and coordinates begin at multiples of it
_DTYPES = ("float16", "bfloat16", "float32", "float64")
_FIRST_LINE = re.compile(r"# pack of features, format (\d{1,9}), sha256 ([0-9a-f]{64})")
_ENCODING = {"encoding": "utf-8", "errors": "surrogateescape"}  # names of files need not be text


class PackedSlide(NamedTuple):
    """A slide of a pack.

    Attributes:
        folder: of the feature file that it was read from.
        name: of that file.
        size: of that file, in bytes, as `datasets.slides.file_state` has it.
        mtime_ns: when that file was last modified, in nanoseconds.
        n_patches: M.
        width: D.
        dtype: the type of the features, such as `float16`.
        fingerprint: of the features, as `datasets.slides.fingerprint` makes it.
        has_coords: whether it has coordinates.
        mean_length: as of `datasets.slides.slide_values`, like the next three.
        patch_um: in micrometres.
        repeated_rows: in words.
        repeated_places: in words.
        attributes: the numbers that the file gives for its patches.
        begin: where its features begin in the file of the slides, in bytes; its coordinates follow.
        blake2b: digest of features and coordinates, see `datasets.slides.packed_slide.digest_of`.
    """

    folder: str
    name: str
    size: int
    mtime_ns: int
    n_patches: int
    width: int
    dtype: str
    fingerprint: str
    has_coords: bool
    mean_length: float
    patch_um: float | None
    repeated_rows: str | None
    repeated_places: str | None
    attributes: dict[str, float]
    begin: int
    blake2b: str

    @property
    def slide_id(self) -> str:
        """The slide."""
        return slide_id_of(self.name)

    @property
    def source(self) -> Path:
        """The feature file that it was read from."""
        return Path(self.folder, self.name)

    @property
    def state(self) -> tuple[int, int]:
        """Size and time of that file."""
        return self.size, self.mtime_ns

    @property
    def torch_dtype(self) -> torch.dtype:
        """The type of the features."""
        dtype: torch.dtype = getattr(torch, self.dtype)
        return dtype

    @property
    def features_bytes(self) -> int:
        """Of the features."""
        return self.n_patches * self.width * torch.finfo(self.torch_dtype).bits // 8

    @property
    def coords_begin(self) -> int:
        """Where its coordinates begin, in bytes."""
        return aligned(self.begin + self.features_bytes)

    @property
    def coords_bytes(self) -> int:
        """Of the coordinates, int64 (M, 2)."""
        return 16 * self.n_patches if self.has_coords else 0

    @property
    def end(self) -> int:
        """Where the next slide may begin, in bytes."""
        return aligned(self.coords_begin + self.coords_bytes)


def aligned(position: int) -> int:
    """The next multiple of 64.

    >>> aligned(64), aligned(65)
    (64, 128)
    """
    return -(-position // ALIGNED) * ALIGNED


def table_body(slides: Iterable[PackedSlide]) -> bytes:
    """The table without its first line."""
    return lines_of([COLUMNS, *map(cells_of, slides)])


def write_pack_table(path: Path, body: bytes) -> None:
    """Write a table atomically.

    Raises:
        MachineError: as `atomic_path` does.
    """
    first = f"# pack of features, format {FORMAT}, sha256 {hashlib.sha256(body).hexdigest()}\n"
    with atomic_path(path) as temporary:
        temporary.write_bytes(first.encode("ascii") + body)


def read_pack_table(path: Path) -> tuple[list[PackedSlide], str]:
    """The slides of a pack, and the SHA-256 of its table.

    Raises:
        UserError: it cannot be read, is damaged, or of another format.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise cannot_read(path, error) from error
    first, _, body = content.partition(b"\n")
    found = _FIRST_LINE.fullmatch(first.decode(**_ENCODING))
    if found is not None and int(found[1]) != FORMAT:
        raise UserError(
            f"{path} is of a pack of format {found[1]}, and this version reads format {FORMAT}: pack the features again"
        )
    if found is None or hashlib.sha256(body).hexdigest() != found[2]:
        raise damaged_table(path)
    try:
        rows = rows_of(body)
        if tuple(rows[0]) != COLUMNS:
            raise damaged_table(path)
        return [parsed(cells) for cells in rows[1:]], found[2]
    except (csv.Error, ValueError, TypeError, IndexError, OverflowError, RecursionError) as error:
        raise damaged_table(path) from error


def damaged_table(path: Path) -> UserError:
    """The error for a table that is not as it was written."""
    return UserError(f"{path} is not as datasets.pack wrote it (its digest differs): copy or pack the features again")


def cells_of(slide: PackedSlide) -> list[str]:
    """A line of the table; a float is the shortest text that reads back as the same, and None an empty cell."""
    plain = slide._asdict()
    plain |= {"has_coords": "yes" if slide.has_coords else "no", "attributes": json.dumps(slide.attributes)}
    return ["" if cell is None else str(cell) for cell in plain.values()]


def lines_of(rows: Iterable[Sequence[str]]) -> bytes:
    """Lines of the table."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode(**_ENCODING)


def rows_of(body: bytes) -> list[list[str]]:
    """The cells of lines of a table."""
    return list(csv.reader(io.StringIO(body.decode(**_ENCODING), newline=""), strict=True))


def parsed(cells: Sequence[str]) -> PackedSlide:
    """The inverse of `cells_of`; ValueError for other cells."""
    folder, name, size, mtime_ns, patches, width, dtype, fingerprint, coords, *values = cells
    mean_length, patch_um, repeated_rows, repeated_places, attributes, begin, blake2b = values
    if dtype not in _DTYPES or min(int(patches), int(width)) < 1 or int(begin) < 0 or int(begin) % ALIGNED:
        raise ValueError(f"no features: {patches} x {width} {dtype} from byte {begin}")
    numbers = {key: float(value) for key, value in dict(json.loads(attributes)).items()}
    length, side = float(mean_length), float(patch_um) if patch_um else None
    if "\0" in folder + name or not all(map(math.isfinite, (length, side or 0.0, *numbers.values()))):
        raise ValueError("a path that leads nowhere, or a number that is none")
    return PackedSlide(
        *(folder, name, int(size), int(mtime_ns), int(patches), int(width), dtype, fingerprint, coords == "yes"),
        *(length, side, repeated_rows or None, repeated_places or None, numbers, int(begin), blake2b),
    )
