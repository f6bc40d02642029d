"""The one validating reader and writer of slide feature files: what passes here is safe to train on.

A format is one line of `_FORMATS`, or of `_OPENED` where rows can be read without the whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datasets.slides.h5_file import load_h5, open_h5, save_h5
from datasets.slides.numpy_file import begin_of_array, load_npy, load_npz
from datasets.slides.packed_slide import check_packed, is_packed, load_packed, open_packed
from datasets.slides.pt_file import load_pt, save_pt, storage_begin
from datasets.slides.regular_file import check_regular_file
from datasets.slides.safetensors_file import begin_of_tensor, load_safetensors
from datasets.slides.slide_checks import check_finite, check_layout, checked_coords
from datasets.slides.slide_content import SlideContent
from datasets.slides.slide_files import find_slides
from datasets.slides.slide_ids import FEATURE_ENDINGS, PACKED_ENDING, ending_of, slide_id_of
from datasets.slides.tensor_rows import read_tensor_rows
from utils.errors import UserError

__all__ = [
    "OpenSlide",
    "SlideFeatures",
    "SlideHeader",
    "check_widths",
    "find_slides",
    "open_slide",
    "read_header",
    "read_rows",
    "read_shape",
    "read_slide",
    "slide_id_of",
    "write_slide",
]

# Ending -> what reads the whole file, and what tells where the numbers of its features begin in it.
_FORMATS: dict[str, tuple[Callable[[Path], SlideContent], Callable[[Path, torch.Tensor], int | None]]] = {
    ".pt": (load_pt, storage_begin),
    ".npy": (load_npy, begin_of_array),
    ".npz": (load_npz, begin_of_array),
    ".safetensors": (load_safetensors, begin_of_tensor),
}
# Ending -> what reads the whole, and what opens it to read rows.
_OPENED: dict[str, tuple[Callable[[Path], SlideContent], Callable[[Path], Any]]] = {
    ".h5": (load_h5, open_h5),
    PACKED_ENDING: (load_packed, open_packed),
}
_WRITTEN = (".pt", ".h5")


@dataclass(frozen=True)
class SlideFeatures:
    """One slide: M patches with D features each.

    Attributes:
        slide_id: the name of the file without its endings.
        features: (M, D), in the type of the file, all finite; memory-mapped where the format allows.
        coords: (M, 2) int64, the upper left corner (x, y) of each patch in level-0 pixels; None if the file has none.
            In micrometres if `attributes` have `coords_micrometres` (see `datasets.slides.stamp`).
        attributes: the numbers that the file gives for its patches, for instance `patch_size_level0` (level-0 pixels);
            of an .h5 file those alone that `datasets.slides.h5_attributes` names.
    """

    slide_id: str
    features: torch.Tensor
    coords: torch.Tensor | None
    attributes: dict[str, float]


@dataclass(frozen=True)
class OpenSlide:
    """An open feature file: M patches with D features each, none of which was read.

    Attributes:
        path: the file.
        n_patches: M.
        width: D.
        dtype: of the features.
        read: reads rows as `load_rows` does, which checks them first.
    """

    path: Path
    n_patches: int
    width: int
    dtype: torch.dtype
    read: Callable[[np.ndarray], torch.Tensor]

    def load_rows(self, rows: np.ndarray) -> torch.Tensor:
        """Return the features (len(rows), D) of these patches, with values of any kind; see `read_rows`."""
        rows = np.asarray(rows, dtype=np.int64)
        last = self.n_patches - 1
        if rows.ndim != 1 or (rows.size and (rows[0] < 0 or rows[-1] > last or np.any(rows[1:] <= rows[:-1]))):
            raise ValueError(f"rows must be sorted, unique and within 0..{last} for {self.path}")
        return self.read(rows)


@dataclass(frozen=True)
class SlideHeader:
    """One slide without its features: M patches with D features each; the rest as of `SlideFeatures`."""

    n_patches: int
    width: int
    dtype: torch.dtype
    coords: torch.Tensor | None
    attributes: dict[str, float]


@contextmanager
def open_slide(path: Path) -> Iterator[OpenSlide]:
    """Open a slide, whose header is checked as in `read_slide`, to read some of its rows.

    Raises UserError as `read_slide` does but for the values, also in the block.
    """
    path = _existing(path)
    if ending_of(path) in _OPENED:
        with _OPENED[ending_of(path)][1](path) as file:
            yield OpenSlide(path, *check_layout(file.shape, file.dtype, path), file.dtype, file.read_rows)
        return
    load, begin_of = _FORMATS[ending_of(path)]
    features = load(path).features
    layout = check_layout(tuple(features.shape), features.dtype, path)
    yield OpenSlide(path, *layout, features.dtype, lambda rows: read_tensor_rows(path, features, begin_of, rows))


def read_shape(path: Path) -> tuple[int, int]:
    """Return (M, D), checked as in `read_slide` but for the values, which are not read."""
    with open_slide(path) as slide:
        return slide.n_patches, slide.width


def read_header(path: Path) -> SlideHeader:
    """Read all of a slide but the features (compressed ones and pickled arrays are read to learn their shape).

    Raises UserError as `read_slide` does but for the values of features.
    """
    path = _existing(path)
    if ending_of(path) == ".h5":
        with open_h5(path) as file:
            file.check_written()
            (coords, attributes), shape, dtype = file.read_places(), file.shape, file.dtype
    else:
        features, coords, attributes = load_content(path)
        shape, dtype = tuple(features.shape), features.dtype
    n_patches, width = check_layout(shape, dtype, path)
    places = None if coords is None else checked_coords(coords, n_patches, path)
    return SlideHeader(n_patches, width, dtype, places, attributes)


def read_slide(path: Path, *, known_finite: bool = False) -> SlideFeatures:
    """Read a whole slide.

    With `known_finite` NaN is not looked for (`datasets.slides.feature_index` knows files without); without it the
    digest of a slide of a pack is compared, too.

    Raises UserError, naming the file, when it cannot be read, holds anything but a non-empty (M, D) or (1, M, D) array
    of floating-point numbers, has NaN or infinity in it (rows are counted), or has coords of another length.
    Coords written as floating-point numbers are rounded to whole pixels.
    """
    path = _existing(path)
    features, coords, attributes = load_content(path)
    if is_packed(path) and not known_finite:
        check_packed(path)
    return SlideFeatures(slide_id_of(path), *_checked(features, coords, path, known_finite=known_finite), attributes)


def read_rows(path: Path, rows: np.ndarray, *, known_finite: bool = False) -> torch.Tensor:
    """Return the features (len(rows), D) of these patches only, without reading the others.

    `rows` are sorted and unique integers in 0..M-1 (ValueError otherwise). Raises UserError as `read_slide` does; NaN
    and infinity are looked for in these rows only, and not at all in a file that is `known_finite`.
    """
    with open_slide(path) as slide:
        features = slide.load_rows(rows)
    if not known_finite:
        check_finite(features, Path(path))
    return features


def check_widths(widths: Mapping[Path, int], expected: int | None = None) -> int:
    """Return the one feature width D of all slides (file -> width).

    Raises UserError when a file is of another width than `expected` (or, without it, than most files); it is named.
    """
    if not widths:
        raise UserError("no slide given, so there is no feature width: give at least one feature file")
    width, n_agreeing = Counter(widths.values()).most_common(1)[0]
    if expected is not None:
        width, n_agreeing = expected, sum(found == expected for found in widths.values())
    odd = [path for path, found in widths.items() if found != width]
    if odd:
        reference = (
            f"{width} was expected" if expected is not None else f"{n_agreeing} of {len(widths)} files have {width}"
        )
        raise UserError(
            f"{odd[0]} has features of width {widths[odd[0]]} where {reference} ({len(odd)} such files in all): "
            "extract all slides with one encoder"
        )
    return width


def write_slide(
    path: Path,
    features: torch.Tensor,
    coords: torch.Tensor | None = None,
    attributes: Mapping[str, float] | None = None,
) -> None:
    """Write one slide atomically, in the format of the ending of `path`.

    `.pt`: the tensor itself, or with coords or attributes a dict. `.h5`: the layout of CLAM, where attributes belong to
    the dataset `coords` and need it. What `read_slide` would refuse is refused here with the same UserError.
    """
    path = Path(path)
    if ending_of(path) not in _WRITTEN:
        raise UserError(f"{path} does not end in .pt or .h5: give the name of a file that can be written")
    numbers = {name: float(value) for name, value in (attributes or {}).items()}
    features, coords = _checked(features, coords, path)
    if ending_of(path) == ".pt":
        save_pt(path, features, coords, numbers)
        return
    if numbers and coords is None:
        raise UserError(f"{path} cannot hold attributes without coords: in the .h5 layout they belong to the coords")
    save_h5(path, features, coords, numbers)


def _existing(path: Path) -> Path:
    path = Path(path)
    if is_packed(path):
        return path
    if ending_of(path) not in FEATURE_ENDINGS:
        raise UserError(f"{path} does not end in {', '.join(FEATURE_ENDINGS)}: give a feature file")
    check_regular_file(path)
    return path


def load_content(path: Path) -> SlideContent:
    """All that a feature file holds, as it is there; each whole reading of a file is a call of this."""
    return (_FORMATS | _OPENED)[ending_of(path)][0](path)


def _checked(
    features: torch.Tensor, coords: torch.Tensor | None, path: Path, *, known_finite: bool = False
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Features as (M, D), coords as (M, 2) int64, or a UserError."""
    n_patches, width = check_layout(tuple(features.shape), features.dtype, path)
    features = features.reshape(n_patches, width)  # (1, M, D) -> (M, D)
    if not known_finite:
        check_finite(features, path)
    return features, None if coords is None else checked_coords(coords, n_patches, path)
