"""What a user may have meant by a directory without feature files."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path

_DEPTH = 3  # TRIDENT: job / 20x_256px_0px_overlap / features_uni_v1; CLAM: features / encoder / pt_files
_MAX_FOLDERS = 500


def folders_with_features(directory: Path, files_in: Callable[[Path], Sequence[Path]]) -> list[Path]:
    """The folders below a directory that hold feature files, by name, at most three levels down; links are followed.

    Names with a leading dot are left out, and so are folders beyond the first 500 and those that cannot be read.
    """
    found, level = [], [directory]
    n_seen = 0
    for _ in range(_DEPTH):
        level = [below for folder in level for below in _folders_in(folder)][: _MAX_FOLDERS - n_seen]
        n_seen += len(level)
        found += [folder for folder in level if os.access(folder, os.R_OK | os.X_OK) and files_in(folder)]
    return sorted(found)


def nearest_name(path: Path) -> str:
    """Words on the name beside a missing path that is most like its own; empty without one.

    >>> nearest_name(Path("/no/such/place"))
    ''
    """
    if not path.parent.is_dir() or not os.access(path.parent, os.R_OK | os.X_OK):
        return ""
    there = [each.name for each in path.parent.iterdir() if not each.name.startswith(".")]
    near = get_close_matches(path.name, there, n=1)
    return f" (is {path.parent / near[0]} meant?)" if near else ""


def _folders_in(folder: Path) -> list[Path]:
    if not os.access(folder, os.R_OK | os.X_OK):
        return []
    return sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
