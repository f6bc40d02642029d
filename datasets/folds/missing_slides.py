"""Slides without a feature file, in words: the first of them with the files that may be meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from datasets.folds.near_ids import Near, NearIds
from utils.files.phrases import agreeing, listed

_N_NAMED = 5
GIVE_THEM = "extract their features, or give table and files the same ids"


def missing_in_words(missing: Sequence[str], available: Collection[str], used: Collection[str] = ()) -> str:
    """Return the first slides without a feature file, each with the nearest one, and how many more differ like that.

    Args:
        missing: ids of slides without a feature file; at least one.
        available: ids of slides with one; where it maps them to paths, files are named.
        used: ids whose files belong to other slides, and are not meant.

    >>> missing_in_words(["00123", "x"], {"123": Path("123.h5")})
    '00123, nearest 123.h5: leading zeros; x'
    """
    near = NearIds(sorted(set(available) - set(used)))
    found = {slide_id: near.nearest(slide_id) for slide_id in missing[:_N_NAMED]}
    between = "; " if any(found.values()) else ", "
    words = between.join(_named(slide_id, one, available) for slide_id, one in found.items())
    if len(missing) <= _N_NAMED:
        return words
    first: dict[str, str] = {}
    count: Counter[str] = Counter()
    for slide_id in missing:
        one = near.spelled(slide_id)
        if one is not None:
            count[one.differs_in] += 1
            first.setdefault(one.differs_in, f"{slide_id} and {_file(one, available)}")
    alike = [
        f"{number} {agreeing(number, 'differs from a file', 'differ from files')} in {why} ({first[why]})"
        for why, number in count.most_common()
    ]
    return f"{words}{between}..." + (f"; of all {len(missing)}, {listed(alike)}" if alike else "")


def _named(slide_id: str, near: Near | None, available: Collection[str]) -> str:
    if near is None:
        return slide_id
    return f"{slide_id}, nearest {_file(near, available)}" + (f": {near.differs_in}" if near.differs_in else "")


def _file(near: Near, available: Collection[str]) -> str:
    path = available[near.identifier] if isinstance(available, Mapping) else None
    return path.name if isinstance(path, Path) else near.identifier
