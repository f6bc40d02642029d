"""What `splits.json` says of places: the names of files and folders, which mean the same on every machine."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any


def recorded_option(value: object) -> Any:
    """Return the value of an option as one of JSON, paths as names without the folders that they are in.

    >>> recorded_option((Path("/data/uni"), Path("."))), recorded_option(0.2), recorded_option(None)
    (['uni', '.'], 0.2, None)
    """
    if isinstance(value, tuple):
        return [recorded_option(item) for item in value]
    return _name(value) if isinstance(value, Path) else value


def without_folders(text: str, places: Iterable[Path | None]) -> str:
    """Return a text in which these places are names, without the folders that they are in.

    >>> without_folders("id 7 of /data/in/fold0.csv is not in /data/t.csv", [Path("/data/in"), Path("/data/t.csv")])
    'id 7 of in/fold0.csv is not in t.csv'
    """
    names = {str(place): _name(place) for place in places if place is not None}
    for place in sorted(names, key=len, reverse=True):  # a place may be in another
        text = text.replace(place, names[place])
    return text


def _name(place: Path) -> str:
    return place.name or str(place)
