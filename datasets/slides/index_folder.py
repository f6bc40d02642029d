"""Where the index of a folder of feature files is: beside them, or in a cache folder where that cannot be written."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from datasets.slides.index_table import IndexedSlide, Table, UnusableIndexError, read_table, write_table
from utils.errors import UserError
from utils.files.locks import HeldError, locked_in_turn

logger = logging.getLogger(__name__)

INDEX_NAME = "mico_index.csv"


class IndexFolder:
    """The index of one folder of feature files, on disk.

    Args:
        folder: of the feature files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._beside, self._cached = folder / INDEX_NAME, _in_cache(folder)
        self._told = False

    def load(self) -> Table:
        """What is known of the files, beside them or in the cache; nothing from an index that tells nothing.

        Where both tell of a file, the index that was written later does.
        """
        table: Table = {}
        for path in sorted(filter(None, (self._beside, self._cached)), key=_written):
            table = merged(table, _read(path))
        return table

    def save(self, found: Mapping[str, IndexedSlide | None]) -> None:
        """Add what was found of files by name, None for what is no longer known of one; never raises.

        What another process has written meanwhile stays, but for files that are gone.
        """
        try:
            self._save_to(self._beside, found)
            return
        except HeldError as error:
            logger.info("the index of %s was not written: %s", self.folder, error)
            return
        except UserError as error:
            reason = error
        try:
            if self._cached is None:
                raise UserError("there is no home folder: set MICO_CACHE_DIR")
            self._save_to(self._cached, found)
            self._tell("the index of %s is %s, since %s", self.folder, self._cached, reason)
        except UserError as error:
            self._tell("the index of %s cannot be kept, so that files are looked at again: %s", self.folder, error)

    def _save_to(self, path: Path, found: Mapping[str, IndexedSlide | None]) -> None:
        with locked_in_turn(path):
            table = merged(_read(path, quiet=True), found)
            names = _names_in(self.folder)
            write_table(path, {name: slide for name, slide in table.items() if names is None or name in names})

    def _tell(self, text: str, *arguments: object) -> None:
        """Say it once in a process."""
        if not self._told:
            logger.info(text, *arguments)
        self._told = True


def merged(table: Mapping[str, IndexedSlide], found: Mapping[str, IndexedSlide | None]) -> Table:
    """A table with what was found later.

    Of the same features in the same file, what only one of both says is kept.
    """
    result = dict(table)
    for name, slide in found.items():
        before = result.pop(name, None)
        if slide is None:
            continue
        if before is not None and before[:6] == slide[:6]:
            has_coords = before.has_coords if slide.has_coords is None else slide.has_coords
            chunks = slide.chunks or before.chunks
            slide = slide._replace(has_coords=has_coords, values=slide.values or before.values, chunks=chunks)
        result[name] = slide
    return result


def cache_folder() -> Path | None:
    """`$MICO_CACHE_DIR`, else `$XDG_CACHE_HOME/mico`, else `~/.cache/mico`; None for a user without a home folder."""
    own, shared = os.environ.get("MICO_CACHE_DIR"), os.environ.get("XDG_CACHE_HOME")
    if own:
        return Path(own)
    try:
        return (Path(shared) if shared else Path.home() / ".cache") / "mico"
    except RuntimeError:
        return None


def _in_cache(folder: Path) -> Path | None:
    place = cache_folder()
    digest = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
    return None if place is None else place / f"index-{digest}.csv"


def _read(path: Path, *, quiet: bool = False) -> Table:
    try:
        return read_table(path)
    except UnusableIndexError as problem:
        if not quiet:
            logger.info("%s %s: feature files are looked at again", path, problem)
        return {}


def _written(path: Path) -> int:
    """When a file was last written; 0 for none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _names_in(folder: Path) -> set[str] | None:
    try:
        return set(os.listdir(folder))  # noqa: PTH208  a listing, without a look at each file
    except OSError:
        return None
