"""Which files are slides: directories -> one file per slide."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from datasets.slides.nearby_folders import folders_with_features, nearest_name
from datasets.slides.pack_folder import is_pack
from datasets.slides.slide_ids import FEATURE_ENDINGS, slide_id_of
from utils.errors import UserError, cannot_read
from utils.files.phrases import listed

SUBDIRECTORIES = ("pt_files", "h5_files")
# TRIDENT writes one such folder for each encoder; what slide encoders write is in slide_features_*.
ENCODER_FOLDERS = "features_*"
# Files of slideflow beside its bags, see `datasets.slides.slideflow_index`.
_NO_SLIDES = (".index.npz", ".index.npy")


def find_slides(directories: Sequence[Path]) -> dict[str, Path]:
    """Return the feature file of every slide, sorted by slide id.

    Each directory is searched itself and in its `pt_files/` and `h5_files/` (the folders of CLAM), and where these hold
    nothing in its one folder `features_*` (that of TRIDENT), not deeper. Names with a leading dot are ignored: they are
    half-written or hidden. A pack gives the slides that the directories give which it was made from.

    Raises UserError when a directory does not exist, the same slide stands in two places, or no feature file is found.
    """
    found: dict[str, Path] = {}
    repeated: dict[str, tuple[Path, Path]] = {}
    searched: set[Path] = set()
    for directory in map(Path, directories):
        for path in _files_of(directory, searched):
            first = found.setdefault(slide_id_of(path), path)
            if first != path:
                repeated.setdefault(slide_id_of(path), (first, path))
    if repeated:
        slide_id = min(repeated)
        first, second = repeated[slide_id]
        raise UserError(
            f"slide {slide_id} is in two files, {first} and {second} ({len(repeated)} such slides in all): "
            "give only the directories that hold each slide once, for instance pt_files or h5_files alone"
        )
    if not found:
        raise UserError(_nothing_found([Path(directory) for directory in directories]))
    return dict(sorted(found.items()))


def feature_files(folder: Path) -> list[Path]:
    """The feature files that lie in a folder itself, by name; of a pack, its slides (`datasets.slides.pack_sources`).

    Raises:
        UserError: for a folder that cannot be read, and a pack that is damaged.
    """
    if is_pack(folder):
        from datasets.slides.pack_sources import slides_of_pack  # torch: only where there is a pack

        return slides_of_pack(folder, feature_files)
    try:
        with os.scandir(folder) as inside:
            names = [entry.name for entry in inside if _names_slide(entry.name) and not _is_folder(entry)]
    except OSError as error:
        raise cannot_read(folder, error) from error
    return [folder / name for name in sorted(names)]


def _names_slide(name: str) -> bool:
    ending = name.lower()
    return ending.endswith(FEATURE_ENDINGS) and not name.startswith(".") and not ending.endswith(_NO_SLIDES)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder, or a link to one; the system is asked for links only."""
    return Path(entry.path).is_dir() if entry.is_symlink() else entry.is_dir()


def _files_of(directory: Path, searched: set[Path]) -> list[Path]:
    """The feature files of a directory and its folders of CLAM or TRIDENT, but for the folders already searched."""
    if not directory.is_dir():
        raise UserError(
            f"the feature directory {directory} does not exist{nearest_name(directory)}: give an existing directory"
        )
    own = [directory, *(directory / name for name in SUBDIRECTORIES if (directory / name).is_dir())]
    found = {folder: feature_files(folder) for folder in own}
    if not any(found.values()):
        encoders = [folder for folder in sorted(directory.glob(ENCODER_FOLDERS)) if folder.is_dir()]
        found |= {folder: feature_files(folder) for folder in encoders if len(encoders) == 1}
    files: list[Path] = []
    for folder, inside in found.items():
        if folder.resolve() not in searched:
            searched.add(folder.resolve())
            files += inside
    return files


def _nothing_found(directories: Sequence[Path]) -> str:
    named = ", ".join(map(str, directories)) or "an empty list of directories"
    below = [folder for directory in directories for folder in folders_with_features(directory, feature_files)]
    if below:
        more = f" and {len(below) - 3} more" if len(below) > 3 else ""
        return f"no feature file found in {named}; it holds {listed(below[:3])}{more}: give one of these folders"
    return (
        f"no feature file found in {named}: expected {{slide_id}} with one of the endings "
        f"{listed(FEATURE_ENDINGS)} there or in its pt_files or h5_files"
    )
