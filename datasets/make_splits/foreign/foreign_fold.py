"""A fold as another repository writes it: ids of each part, and perhaps its own labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from datasets.folds.splits import MOST_FOLDS
from datasets.make_splits.label_table import LabelTable
from utils.errors import UserError
from utils.files.phrases import listed


@dataclass(frozen=True)
class ForeignFold:
    """One fold.

    Attributes:
        index: of the fold.
        ids: {part: slides or patients}; `val` is missing where the layout has none.
        sources: the files that it was read from.
        table: the labels that stand in these files; None where they come from a label table.
        notes: what was assumed or ignored, each one sentence.
    """

    index: int
    ids: Mapping[str, tuple[str, ...]]
    sources: tuple[Path, ...]
    table: LabelTable | None = None
    notes: tuple[str, ...] = ()


def numbered(place: Path, pattern: str, expected: str, *, folders: bool = False) -> dict[int, Path]:
    r"""{fold: path} of the files (or folders) in `place` whose name matches, in numerical order.

    Args:
        place: a folder, or one such file or folder itself.
        pattern: of the whole name, whose last group is the number of the fold, such as `splits_(\d+)\.csv`.
        expected: the names in words, for the message.
        folders: whether folders are looked for.

    Raises:
        UserError: nothing matches, a name is there for one number only as the end of different names, or `place` does
            not exist.
    """
    if not place.exists():
        raise UserError(f"{place} does not exist: give the folder of the splits, with {expected}")
    inside = sorted(place.iterdir()) if place.is_dir() and not re.fullmatch(pattern, place.name) else [place]
    found: dict[int, Path] = {}
    for path in inside:
        match = re.fullmatch(pattern, path.name)
        if match is None or path.is_dir() != folders:
            continue
        index = int(match.groups()[-1])
        if index > MOST_FOLDS:
            raise UserError(f"the number of {path} is larger than {MOST_FOLDS:,}, and no number of a fold: rename it")
        if index in found:
            names = listed([found[index].name, path.name])
            raise UserError(f"{place} holds {names}, two folds {index}: give the splits of one cohort")
        found[index] = path
    if not found:
        names = listed([path.name for path in inside[:5] if path != place]) or "nothing"
        raise UserError(f"{place} has no {expected} (found {names}): give the folder of the splits, or another --from")
    return dict(sorted(found.items()))
