"""Which files are slides: file name -> slide id, directories -> one file per slide."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from utils.errors import UserError

FEATURE_ENDINGS = (".pt", ".h5")
SUBDIRECTORIES = ("pt_files", "h5_files")


def slide_id_of(path: str | Path) -> str:
    """Return the slide id of a feature file: its name without a known ending (.pt or .h5).

    TCGA slide ids contain dots, so whatever else follows a dot belongs to the id.

    >>> slide_id_of("features/TCGA-2F-A9KO-01Z-00-DX1.195576CF.pt")
    'TCGA-2F-A9KO-01Z-00-DX1.195576CF'
    >>> slide_id_of("TCGA-2F-A9KO-01Z-00-DX1.195576CF")
    'TCGA-2F-A9KO-01Z-00-DX1.195576CF'
    """
    name = Path(path).name
    for ending in FEATURE_ENDINGS:
        if name.endswith(ending):
            return name.removesuffix(ending)
    return name


def find_slides(directories: Sequence[Path]) -> dict[str, Path]:
    """Return the feature file of every slide, sorted by slide id.

    Each directory is searched itself and in its `pt_files/` and `h5_files/` (the folders of CLAM), not deeper. Names
    with a leading dot are ignored: they are half-written or hidden.

    Raises UserError when a directory does not exist, the same slide stands in two places, or no feature file is found.
    """
    found: dict[str, Path] = {}
    repeated: dict[str, tuple[Path, Path]] = {}
    for folder in _search_folders(directories):
        for path in _feature_files(folder):
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
        named = ", ".join(str(directory) for directory in directories)
        raise UserError(
            f"no feature file found in {named or 'an empty list of directories'}: expected {{slide_id}}.pt or "
            "{slide_id}.h5 there or in its pt_files or h5_files"
        )
    return dict(sorted(found.items()))


def _search_folders(directories: Sequence[Path]) -> list[Path]:
    """Each directory and those of its subdirectories that CLAM writes to, none twice."""
    folders: dict[Path, Path] = {}
    for directory in map(Path, directories):
        if not directory.is_dir():
            raise UserError(f"the feature directory {directory} does not exist: give an existing directory")
        for folder in (directory, *(directory / name for name in SUBDIRECTORIES)):
            if folder.is_dir():
                folders.setdefault(folder.resolve(), folder)
    return list(folders.values())


def _feature_files(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix in FEATURE_ENDINGS and not path.name.startswith(".") and not path.is_dir()
    )
