"""A file by its name, however the disk spells the letters of it."""

from __future__ import annotations

import unicodedata
from pathlib import Path


def named_file(folder: Path, name: str) -> Path:
    """The path of a file in a folder: with composed letters, or decomposed where only that is there.

    macOS writes `ü` as two characters, and files that were copied from there keep them.

    >>> named_file(Path("/no/such/folder"), "Müller.pt").name
    'Müller.pt'
    """
    path = folder / unicodedata.normalize("NFC", name)
    decomposed = folder / unicodedata.normalize("NFD", name)
    return decomposed if decomposed != path and not path.exists() and decomposed.exists() else path
