"""The sentence for a feature file that cannot be read."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from datasets.slides.slide_content import damaged
from utils.files.tensors import damage_told


def reading(path: Path, kind: str) -> AbstractContextManager[None]:
    """Turn what reading a damaged file may raise in the block into a UserError.

    Args:
        path: of the file.
        kind: what it should be, for instance "a .pt file".
    """
    return damage_told(path, lambda reason: damaged(path, kind, reason))
