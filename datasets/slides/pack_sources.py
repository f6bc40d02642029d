"""A pack stands for the folders of the feature files that it was made from: whoever reads it sees what is in them now.

A file that is as it was when it was packed is read from the pack, one that was changed or added since from where it is,
and one that was removed not at all. So a run over a pack is the run over the files. Of a folder that is not there, or
holds no feature file (a disk that is not mounted, another machine), the pack has all slides as they were.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from datasets.slides.file_state import State, state_of
from datasets.slides.packed_slide import open_pack, packed_path
from utils.files.phrases import counted

logger = logging.getLogger(__name__)


class _Folder(NamedTuple):
    """What is read in the place of a folder.

    Attributes:
        paths: of its slides: those of the pack, or feature files.
        is_there: whether the folder has feature files.
        n_changed: how many were changed since.
        n_new: how many were added since.
        n_gone: how many were removed since.
    """

    paths: list[Path]
    is_there: bool
    n_changed: int = 0
    n_new: int = 0
    n_gone: int = 0


def slides_of_pack(folder: Path, files_in: Callable[[Path], Sequence[Path]]) -> list[Path]:
    """The paths of the slides of a pack, by folder and name; what is not as it was packed is said once.

    Args:
        folder: of the pack.
        files_in: lists the feature files of a folder.

    Raises:
        UserError: as `open_pack` does, and `files_in`.
    """
    by_folder: dict[str, dict[str, tuple[Path, State]]] = {}
    for slide_id, slide in open_pack(folder, as_it_is=True).slides.items():
        by_folder.setdefault(slide.folder, {})[slide.name] = packed_path(folder, slide_id), slide.state
    found = {Path(place): _paths(Path(place), slides, files_in) for place, slides in by_folder.items()}
    for line in _said(folder, found):
        if line not in _told:
            logger.info("%s", line)
        _told.add(line)
    return [path for each in found.values() for path in each.paths]


def _paths(
    place: Path, slides: Mapping[str, tuple[Path, State]], files_in: Callable[[Path], Sequence[Path]]
) -> _Folder:
    """What is read in the place of a folder, of whose files {name: (path in the pack, state when it was packed)}."""
    there = {path.name: path for path in files_in(place)} if place.is_dir() else {}
    if not there:
        return _Folder([packed for packed, _ in slides.values()], is_there=False)
    paths, n_changed = [], 0
    for name, path in there.items():
        packed, state = slides.get(name, (path, None))
        is_changed = state is not None and state_of(path) != state
        paths.append(path if is_changed else packed)
        n_changed += is_changed
    n_new, n_gone = len(there.keys() - slides.keys()), len(slides.keys() - there.keys())
    return _Folder(paths, True, n_changed, n_new, n_gone)


def _said(pack: Path, found: dict[Path, _Folder]) -> list[str]:
    lines = []
    absent = [place for place, each in found.items() if not each.is_there]
    if absent:
        n_slides = sum(len(found[place].paths) for place in absent)
        others = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
        lines.append(f"{absent[0]}{others} without feature files: {counted(n_slides, 'slide')} as {pack} has them")
    n_changed, n_new, n_gone = (sum(numbers) for numbers in zip(*(each[2:] for each in found.values()), strict=True))
    if n_changed or n_new or n_gone:
        since = f"since {pack} was packed, {counted(n_changed, 'feature file')} changed, {n_new} came and {n_gone} went"
        lines.append(f"{since}: read from the files as they are now; datasets.pack --overwrite packs them")
    return lines


_told: set[str] = set()
