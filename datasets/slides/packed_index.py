"""What the index of feature files is for a pack: all that was known of its slides when it was made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from datasets.slides.file_state import state_of
from datasets.slides.fingerprint import fingerprint
from datasets.slides.index_table import IndexedSlide, Table
from datasets.slides.pack_folder import SLIDES
from datasets.slides.pack_table import PackedSlide
from datasets.slides.packed_slide import open_pack, opened_slide
from datasets.slides.slide_ids import PACKED_ENDING
from datasets.slides.slide_values import SlideValues
from utils.errors import UserError


class PackedIndex:
    """The index of the slides of a pack; used as `datasets.slides.index_folder.IndexFolder` is.

    Args:
        folder: of the pack.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self) -> Table:
        """What is known of the slides by the names of their paths."""
        slides = open_pack(self.folder).slides
        return {f"{slide_id}{PACKED_ENDING}": _indexed(slide) for slide_id, slide in slides.items()}

    def save(self, found: Mapping[str, IndexedSlide | None]) -> None:
        """Keep nothing: a pack does not change."""


def check_as_packed(path: Path, found: str) -> None:
    """Check that a slide of a pack, and the file that it was read from, have the features that were packed.

    Args:
        path: of the slide.
        found: the fingerprint of what the pack holds now.

    Raises:
        UserError: one of them has others.
    """
    pack, slide = opened_slide(path)
    if found != slide.fingerprint:
        raise UserError(
            f"{pack.folder / SLIDES} does not hold slide {slide.slide_id} as it was packed (its fingerprint differs): "
            "copy or pack the features again"
        )
    if state_of(slide.source) == slide.state and fingerprint(slide.source) != slide.fingerprint:
        raise UserError(
            f"{slide.source} holds other features than when it was packed into {pack.folder}, with the same size and "
            "time: pack the features again (--verify full --overwrite)"
        )


def _indexed(slide: PackedSlide) -> IndexedSlide:
    values = SlideValues(slide.mean_length, slide.patch_um, slide.repeated_rows, slide.repeated_places)
    shape = slide.n_patches, slide.width
    return IndexedSlide(*slide.state, *shape, slide.dtype, slide.fingerprint, slide.has_coords, values)
