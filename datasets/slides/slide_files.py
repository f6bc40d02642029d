"""Which files are slides: file name -> slide id, directories -> one file per slide."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from datasets.slides.nearby_folders import folders_with_features, nearest_name
from utils.errors import UserError
from utils.files.phrases import listed
from utils.files.plain_text import plain_text

FEATURE_ENDINGS = (".pt", ".h5", ".npy", ".npz", ".safetensors")
SUBDIRECTORIES = ("pt_files", "h5_files")
# TRIDENT writes one such folder for each encoder; what slide encoders write is in slide_features_*.
ENCODER_FOLDERS = "features_*"
IMAGE_ENDINGS = (".svs", ".ndpi", ".mrxs", ".scn", ".tif", ".tiff", ".bif", ".vms", ".dcm", ".czi")
# Files of slideflow beside its bags, see `datasets.slides.slideflow_index`.
_NO_SLIDES = (".index.npz", ".index.npy")


def slide_id_of(path: str | Path) -> str:
    """Return the slide id of a feature file: its name without the ending, and without that of the image before it.

    TCGA slide ids contain dots, so whatever else follows a dot belongs to the id. A name without the ending of a
    feature file is an id already. Letters are composed and blanks single, as in tables: see `plain_text`.

    >>> slide_id_of("features/TCGA-2F-A9KO-01Z-00-DX1.195576CF.pt")
    'TCGA-2F-A9KO-01Z-00-DX1.195576CF'
    >>> slide_id_of("TCGA-2F-A9KO-01Z-00-DX1.195576CF.SVS.h5")
    'TCGA-2F-A9KO-01Z-00-DX1.195576CF'
    >>> slide_id_of("TCGA-2F-A9KO-01Z-00-DX1.195576CF")
    'TCGA-2F-A9KO-01Z-00-DX1.195576CF'
    """
    name = plain_text(Path(path).name)
    ending = next((ending for ending in FEATURE_ENDINGS if name.endswith(ending)), None)
    if ending is None:
        return name
    name = name.removesuffix(ending)
    image = next((ending for ending in IMAGE_ENDINGS if name.lower().endswith(ending)), "")
    return name[: len(name) - len(image)] or name


def find_slides(directories: Sequence[Path]) -> dict[str, Path]:
    """Return the feature file of every slide, sorted by slide id.

    Each directory is searched itself and in its `pt_files/` and `h5_files/` (the folders of CLAM), and where these hold
    nothing in its one folder `features_*` (that of TRIDENT), not deeper. Names with a leading dot are ignored: they are
    half-written or hidden.

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
    """The feature files that lie in a folder itself, by name."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix in FEATURE_ENDINGS
        and not path.name.startswith(".")
        and not path.name.endswith(_NO_SLIDES)
        and not path.is_dir()
    )


def _files_of(directory: Path, searched: set[Path]) -> list[Path]:
    """The feature files of a directory and its folders of CLAM or TRIDENT, but for the folders already searched."""
    if not directory.is_dir():
        raise UserError(
            f"the feature directory {directory} does not exist{nearest_name(directory)}: give an existing directory"
        )
    own = [directory, *(directory / name for name in SUBDIRECTORIES if (directory / name).is_dir())]
    if not any(feature_files(folder) for folder in own):
        encoders = [folder for folder in sorted(directory.glob(ENCODER_FOLDERS)) if folder.is_dir()]
        own += encoders if len(encoders) == 1 else []
    files: list[Path] = []
    for folder in own:
        if folder.resolve() not in searched:
            searched.add(folder.resolve())
            files += feature_files(folder)
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
