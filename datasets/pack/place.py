"""Where a pack may be written, and whether it has room there."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from datasets.slides.index_table import IndexedSlide
from datasets.slides.pack_folder import PARTIAL, SLIDES, TABLE, is_pack
from utils.errors import UserError, cannot_read

JOURNAL = ".pack.csv.partial"
_BYTES_OF_LINE = 800  # of the table, and of the list of an unfinished pack, with a long name
_COORDS_BYTES = 16


def check_sources(directories: Sequence[Path]) -> None:
    """Raise UserError for a directory that is a pack itself."""
    for directory in directories:
        if is_pack(directory):
            raise UserError(f"{directory} is a pack: give the directories of the feature files that it was made from")


def check_place(folder: Path, sources: Iterable[Path], *, overwrite: bool) -> None:
    """Check that a pack may be written to this folder.

    Args:
        folder: of the pack.
        sources: folders of the feature files.
        overwrite: whether a pack that is there may be replaced.

    Raises:
        UserError: it is within the features, holds a pack or anything else, or is a file.
    """
    place = folder.resolve()
    for source in sources:
        if source.resolve() in (place, *place.parents):
            raise UserError(f"got --output_dir {folder}, which is in the features ({source}): give a folder elsewhere")
    if not folder.exists():
        return
    try:
        there = {path.name for path in folder.iterdir()}
    except OSError as error:
        raise cannot_read(folder, error) from error
    if TABLE in there and not overwrite:
        raise UserError(f"{folder} holds a pack: pass --overwrite to replace it, or give another --output_dir")
    others = sorted(name for name in there - {TABLE, SLIDES, PARTIAL, JOURNAL} if not name.startswith(".tmp-"))
    if others:
        raise UserError(f"got --output_dir {folder}, which holds other files ({others[0]}): give a new folder")


def check_room(folder: Path, slides: Mapping[str, IndexedSlide]) -> None:
    """Check that the slides have room on the disk; what an interrupted call has packed has its room already.

    Raises:
        UserError: with what is needed and what is free.
    """
    needed = sum(_most_bytes(slide) for slide in slides.values())
    place = next(each for each in (folder, *folder.resolve().parents) if each.exists())
    free = shutil.disk_usage(place).free
    if (folder / PARTIAL).is_file():
        free += (folder / PARTIAL).stat().st_size
    if needed > free:
        raise UserError(
            f"the pack needs {needed / 1e9:.2f} GB, and the disk of {folder} has {free / 1e9:.2f} GB free: make room, "
            "or give a place on another disk"
        )


def _most_bytes(slide: IndexedSlide) -> int:
    coords = 0 if slide.has_coords is False else _COORDS_BYTES * slide.n_patches
    return slide._replace(has_coords=False).n_bytes + coords + _BYTES_OF_LINE
