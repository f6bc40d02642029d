"""What is known of feature files, so that an unchanged file is opened only to be read for work.

A file is what it was when its size and time are (`datasets.slides.file_state`). What is found of a file whose time does
not prove that yet is used, but not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from datasets.slides.chunk_places import places_found, use_places
from datasets.slides.features import SlideFeatures, read_header, read_rows, read_slide
from datasets.slides.file_state import State, is_young, state_of
from datasets.slides.first_look import all_of, look_into
from datasets.slides.index_folder import IndexFolder
from datasets.slides.index_table import IndexedSlide, Table
from datasets.slides.known_rows import read_known_rows
from datasets.slides.pack_folder import is_pack
from datasets.slides.packed_index import PackedIndex
from datasets.slides.slide_checks import check_finite
from utils.command.verify_option import CHANGED, VERIFY
from utils.errors import UserError
from utils.machine.threads import map_in_threads

READING_THREADS = 4
_PAGE = 4096  # bytes, the smallest page of memory


class _Seen(NamedTuple):
    """What this process found of a file, and whether its time proves it; None for a file with an error."""

    slide: IndexedSlide | None
    is_settled: bool


class FeatureIndex:
    """The index of the feature files of a command; several threads may use it at a time.

    Folders are read when one of their files is asked for. `save` writes what was found beside the files (see
    `datasets.slides.index_folder`).

    Args:
        verify: `changed`, or `full` to look at every file again, whatever earlier commands have found.
        threads: that look at files.
    """

    def __init__(self, verify: str = CHANGED, *, threads: int = READING_THREADS) -> None:
        if verify not in VERIFY:
            raise ValueError(f"got verify '{verify}', expected one of {', '.join(VERIFY)}")
        self._trusts, self._threads = verify == CHANGED, threads
        self._tables: dict[Path, tuple[IndexFolder | PackedIndex, Table]] = {}
        self._seen: dict[Path, _Seen] = {}
        self._unsaved: dict[Path, IndexedSlide | None] = {}
        self._lock = Lock()

    def known(self, path: Path) -> IndexedSlide | None:
        """What is known of a file as it is now, without opening it; None if it must be looked at."""
        return self._known(path, state_of(path))

    def look_at(self, path: Path) -> IndexedSlide:
        """What is known of a file; shape, type and fingerprint are read unless they are, and all of a small file.

        Raises:
            UserError: as `open_slide` does.
        """
        state = state_of(path)
        return self._known(path, state) or self._find(path, state, look_into)

    def look_at_all(self, paths: Mapping[str, Path]) -> dict[str, IndexedSlide]:
        """{slide id: what is known of its file}, as `look_at` has it, in threads; new findings are saved.

        Raises:
            UserError: of the first file, in their order, that cannot be opened.
        """
        known = {slide_id: self.known(path) for slide_id, path in paths.items()}
        left = [slide_id for slide_id, slide in known.items() if slide is None]
        return self._in_threads(lambda slide_id: self.look_at(paths[slide_id]), known, left)

    def have_coords(self, paths: Mapping[str, Path]) -> dict[str, bool]:
        """{slide id: whether its file has coordinates}; they are read, and checked, unless that is known.

        Raises:
            UserError: of the first file, in their order, as `read_header` does.
        """
        known = {slide_id: self.known(path) for slide_id, path in paths.items()}
        left = [slide_id for slide_id, slide in known.items() if slide is None or slide.has_coords is None]

        def look(slide_id: str) -> IndexedSlide:
            path = paths[slide_id]
            return self._find(path, state_of(path), self._with_coords)

        return {slide_id: bool(slide.has_coords) for slide_id, slide in self._in_threads(look, known, left).items()}

    def knows_values(self, path: Path) -> bool:
        """Whether all numbers of a file, as it is now, are known to be finite."""
        known = self.known(path)
        return known is not None and known.values is not None

    def found(self, paths: Mapping[str, Path]) -> dict[str, IndexedSlide]:
        """{slide id: what its file was when somebody last looked}, also where its time proves nothing."""
        last = {slide_id: self._seen.get(path) for slide_id, path in paths.items()}
        slides = {
            slide_id: self.known(paths[slide_id]) if seen is None else seen.slide for slide_id, seen in last.items()
        }
        return {slide_id: slide for slide_id, slide in slides.items() if slide is not None}

    def read(self, path: Path) -> SlideFeatures:
        """Read a whole slide as `read_slide` does; NaN is not looked for where the numbers are known to be finite.

        Raises:
            UserError: as `read_slide` does.
        """
        state = state_of(path)
        known = self._known(path, state)
        if known is not None and known.values is not None:
            use_places(path, known.chunks)
            slide = read_slide(path, known_finite=True)
            if state_of(path) == state:
                _read_pages(slide.features)
                return slide
        return self._read_checked(path)

    def read_rows(self, path: Path, rows: np.ndarray) -> torch.Tensor:
        """Read rows of a slide as `read_rows` does; NaN is not looked for where the numbers are known to be finite.

        Where the rows lie is kept: of a file in chunks they are then read without HDF5.

        Raises:
            UserError: as `read_rows` does.
        """
        state = state_of(path)
        known = self._known(path, state)
        if known is None:
            return read_rows(path, rows)
        features = read_known_rows(path, known, rows)
        if features is None:
            features = read_rows(path, rows, known_finite=True)
            chunks = places_found(path)
            if chunks:  # for the folds to come, and for training
                self._note(path, _Seen(known._replace(chunks=chunks), is_settled=True))
        if state_of(path) != state:
            return read_rows(path, rows)
        if known.values is None:
            check_finite(features, path)
        return features

    def save(self) -> None:
        """Write what was found since the last time; an index that cannot be written is said, and no error."""
        with self._lock:
            unsaved, self._unsaved = self._unsaved, {}
        folders: dict[Path, dict[str, IndexedSlide | None]] = {}
        for path, slide in unsaved.items():
            folders.setdefault(path.parent, {})[path.name] = slide
        for folder, found in folders.items():
            self._table_of(folder)[0].save(found)

    def _in_threads(
        self, look: Callable[[str], IndexedSlide], known: dict[str, IndexedSlide | None], left: list[str]
    ) -> dict[str, IndexedSlide]:
        """What is known, with what `look` finds of the slides that are left; it is saved, also before an error."""
        if left:
            try:
                found = map_in_threads(look, left, self._threads)
                shown = tqdm(found, "looking at features", len(left), leave=False, disable=None, unit="slide")
                known |= zip(left, shown, strict=True)
            finally:
                self.save()
        return {slide_id: slide for slide_id, slide in known.items() if slide is not None}

    def _known(self, path: Path, state: State | None) -> IndexedSlide | None:
        seen = self._seen.get(path)
        if seen is not None:
            slide = seen.slide if seen.is_settled else None
        else:
            slide = self._table_of(path.parent)[1].get(path.name) if self._trusts else None
        return slide if slide is not None and slide.state == state else None

    def _find(
        self,
        path: Path,
        state: State | None,
        look: Callable[[Path, State], IndexedSlide],
    ) -> IndexedSlide:
        """Look into a file, and keep what is found unless the file was written meanwhile, or just before."""
        young = state is None or is_young(state)
        try:
            slide = look(path, state or (0, 0))
        except UserError:
            self._note(path, _Seen(None, is_settled=False))
            raise
        self._note(path, _Seen(slide, is_settled=not young and state_of(path) == state))
        return slide

    def _note(self, path: Path, seen: _Seen) -> None:
        with self._lock:
            self._seen[path] = seen
            if seen.is_settled or seen.slide is None:
                self._unsaved[path] = seen.slide

    def _read_checked(self, path: Path) -> SlideFeatures:
        """Read a slide, with a look for NaN, and keep what its values say."""
        read: list[SlideFeatures] = []

        def look(path: Path, state: State) -> IndexedSlide:
            slide = read_slide(path)
            read.append(slide)
            before = self._seen.get(path, _Seen(None, is_settled=False)).slide
            if before is not None and before.values is not None and before.state == state and is_young(state):
                return before  # a file of the future, by the clock of another machine, is young in every epoch
            return all_of(path, state, slide)

        self._find(path, state_of(path), look)
        return read[0]

    def _with_coords(self, path: Path, state: State) -> IndexedSlide:
        known = self._known(path, state) or look_into(path, state)
        if known.has_coords is not None:
            return known
        return known._replace(has_coords=read_header(path).coords is not None)

    def _table_of(self, folder: Path) -> tuple[IndexFolder | PackedIndex, Table]:
        with self._lock:
            if folder not in self._tables:
                place = PackedIndex(folder) if is_pack(folder) else IndexFolder(folder)
                self._tables[folder] = place, place.load() if self._trusts else {}
            return self._tables[folder]


def _read_pages(features: torch.Tensor) -> None:
    """Read a mapped tensor from the disk now, in this thread: no look for NaN has done so."""
    if features.is_contiguous():
        features.view(torch.uint8).reshape(-1).numpy()[::_PAGE].max()
