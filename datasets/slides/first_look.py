"""What there is to know of a feature file: all of a small one at the first look, the header of a larger one."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import torch

from datasets.slides.chunk_places import places_found
from datasets.slides.features import SlideFeatures, open_slide, read_slide
from datasets.slides.file_state import State
from datasets.slides.fingerprint import fingerprint_of, fingerprint_of_features
from datasets.slides.index_table import IndexedSlide
from datasets.slides.packed_index import check_as_packed
from datasets.slides.packed_slide import is_packed
from datasets.slides.slide_values import SlideValues
from utils.errors import UserError

SMALL = 2**20  # bytes of a file, which to read takes about as long as to open it


def look_into(path: Path, state: State) -> IndexedSlide:
    """What a file in this state is: its header, and all else that can be known of a small one.

    Raises:
        UserError: as `open_slide` does, and for a slide of a pack that is not as it was packed. That numbers of a small
            file are wrong is left to who reads it to say.
    """
    found = _look_into(path, state)
    if is_packed(path):
        check_as_packed(path, found.fingerprint)
    return found


def _look_into(path: Path, state: State) -> IndexedSlide:
    if state[0] <= SMALL:
        with suppress(UserError):
            return all_of(path, state, read_slide(path))
    with open_slide(path) as slide:
        return IndexedSlide(*state, slide.n_patches, slide.width, _name_of(slide.dtype), fingerprint_of(slide))


def all_of(path: Path, state: State, slide: SlideFeatures) -> IndexedSlide:
    """All that can be known of a file in this state, whose slide was read and checked."""
    (size, mtime_ns), (n_patches, width) = state, slide.features.shape
    return IndexedSlide(
        size=size,
        mtime_ns=mtime_ns,
        n_patches=n_patches,
        width=width,
        dtype=_name_of(slide.features.dtype),
        fingerprint=fingerprint_of_features(slide.features),
        has_coords=slide.coords is not None,
        values=SlideValues.of(slide),
        chunks=places_found(path),
    )


def _name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
