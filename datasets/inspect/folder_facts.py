"""The feature files of a folder, and what is wrong between them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from datasets.inspect.file_facts import FileFacts, look_at
from datasets.slides.nearby_folders import folders_with_features, nearest_name
from datasets.slides.packed_slide import is_packed, opened_slide
from datasets.slides.slide_files import SUBDIRECTORIES, feature_files
from datasets.slides.slide_ids import slide_id_of
from utils.errors import UserError
from utils.files.phrases import counted, listed
from utils.machine.threads import map_in_threads

_THREADS = 8
# TRIDENT: positions of patches, and embeddings of whole slides.
_OTHER_FOLDERS = ("patches", "slide_features_")


@dataclass(frozen=True)
class FolderFacts:
    """A folder, its readable feature files, and the sentences on what is wrong with the files or between them."""

    folder: Path
    n_files: int
    n_bytes: int
    files: tuple[FileFacts, ...]
    problems: tuple[str, ...]


def places_of(path: Path) -> list[Path]:
    """The folders with feature files that are meant by a folder: itself and CLAM's, or else all those below it.

    Raises UserError when there is no such place, or no feature file in it.
    """
    if not path.is_dir():
        raise UserError(f"{path} does not exist{nearest_name(path)}: give a feature file, or a folder of them")
    own = [folder for folder in (path, *(path / name for name in SUBDIRECTORIES)) if folder.is_dir()]
    found = [folder for folder in own if feature_files(folder)]
    if not found:
        below = folders_with_features(path, feature_files)
        found = [folder for folder in below if not folder.name.startswith(_OTHER_FOLDERS)] or below
    if not found:
        raise UserError(
            f"{path} holds no feature file, and neither do the folders in it: give a folder of feature files"
        )
    return found


def folder_facts(folder: Path, *, values: bool = False) -> FolderFacts:
    """Look at all feature files that lie in a folder itself, several at a time; with `values` at their features too."""
    paths = feature_files(folder)
    results = map_in_threads(lambda path: look_at(path, values=values), paths, _THREADS)
    shown = tqdm(results, folder.name, len(paths), leave=False, disable=None, unit="file")
    looks = dict(zip(paths, shown, strict=True))
    files = tuple(look for look in looks.values() if isinstance(look, FileFacts))
    problems = [look for look in looks.values() if isinstance(look, str)]
    problems += [problem for file in files for problem in file.problems]
    problems += _differences(files)
    problems += repeated_slides([paths])
    return FolderFacts(folder, len(paths), sum(map(_bytes_of, paths)), files, tuple(problems))


def repeated_slides(places: Sequence[Sequence[Path]]) -> list[str]:
    """A sentence where slides stand in several files of these lists of files."""
    where: defaultdict[str, list[Path]] = defaultdict(list)
    for paths in places:
        for path in paths:
            where[slide_id_of(path)].append(path)
    repeated = {slide_id: paths for slide_id, paths in where.items() if len(paths) > 1}
    if not repeated:
        return []
    slide_id = min(repeated)
    return [
        f"{counted(len(repeated), 'slide')} in more than one file, such as {slide_id} in {listed(repeated[slide_id])}: "
        "give --features_dir the folders that hold each slide once"
    ]


def _bytes_of(path: Path) -> int:
    return opened_slide(path).n_bytes if is_packed(path) else path.stat().st_size


def _differences(files: Sequence[FileFacts]) -> list[str]:
    """Sentences on what is not the same in all files."""
    without = [file.path.name for file in files if file.extent is None]
    found = []
    if 0 < len(without) < len(files):
        found.append(f"{counted(len(without), 'file')} of {len(files)} without coordinates, such as {without[0]}")
    found += _odd_ones("of width", {file.path.name: f"{file.width:,}" for file in files})
    sizes = {file.path.name: f"{file.micrometres:g} micrometres" for file in files if file.micrometres is not None}
    return found + _odd_ones("with patches of", sizes)


def _odd_ones(what: str, values: Mapping[str, str]) -> list[str]:
    """A sentence on the files (name -> value) whose value is not that of most."""
    counts = Counter(values.values())
    if len(counts) < 2:
        return []
    usual, n_usual = counts.most_common(1)[0]
    odd = [name for name, value in values.items() if value != usual]
    example = f"{odd[0]} {what} {values[odd[0]]}"
    return [f"{counted(len(odd), 'file')} unlike the others: {example}, where {n_usual} of {len(values)} have {usual}"]


def most_common(values: Iterable[object]) -> str:
    """Values with the number of files that have them, the most frequent first.

    >>> most_common(["float16", "float32", "float16"])
    'float16 (2), float32 (1)'
    """
    return ", ".join(f"{value} ({count})" for value, count in Counter(map(str, values)).most_common(5))
