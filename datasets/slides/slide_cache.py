"""Slides kept in memory from their first reading on, for all epochs and folds of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Lock

from datasets.slides.features import SlideFeatures, read_slide


class SlideCache:
    """Reads slides and keeps them, in the precision of their files, up to a budget.

    A slide that does not fit any more is read from its file each time. No other makes room for it: an epoch visits all
    slides, so to drop one for another would gain nothing. What is kept is shared by all who read it and must not be
    changed. Several threads may read at a time.

    Args:
        budget: bytes that the features and coords of all kept slides may take.
        read: reads a slide that is not kept.

    Attributes:
        used: bytes that they take.
    """

    def __init__(self, budget: int, read: Callable[[Path], SlideFeatures] = read_slide) -> None:
        self.budget, self.used = budget, 0
        self._read = read
        self._kept: dict[Path, SlideFeatures] = {}
        self._left_out: set[Path] = set()
        self._reserved: set[Path] = set()
        self._lock = Lock()

    def read(self, path: Path) -> SlideFeatures:
        """The slide of a file, which is read only if it is not kept; raises UserError as `read` does."""
        with self._lock:
            kept = self._kept.get(path)
        if kept is not None:
            return kept
        slide = self._read(path)
        size = _size(slide)
        with self._lock:
            if path in self._kept:  # another thread was faster
                return self._kept[path]
            if path not in self._reserved:
                if path in self._left_out or self.used + size > self.budget:
                    self._left_out.add(path)
                    return slide
                self.used += size
            self._kept[path] = slide
        own = _copied(slide)
        with self._lock:
            self._kept[path] = own
        return own

    def reserve(self, sizes: Mapping[Path, int]) -> None:
        """Set memory aside for slides {file: bytes} that will be read, in this order, as far as it goes."""
        with self._lock:
            for path, size in sizes.items():
                if path in self._kept or path in self._reserved or path in self._left_out:
                    continue
                if self.used + size > self.budget:
                    self._left_out.add(path)
                else:
                    self._reserved.add(path)
                    self.used += size

    def describe(self) -> str:
        """How many of the slides read so far, or reserved for, are kept, in a sentence."""
        n_kept = len(self._kept.keys() | self._reserved)
        n_slides = n_kept + len(self._left_out)
        sizes = f"{self.used / 1e9:.1f} GB of at most {self.budget / 1e9:.1f} GB"
        others = "" if not self._left_out else "; the others are read from their files each time"
        return f"{n_kept} of {n_slides} slides are kept in memory, {sizes}{others}"


def _size(slide: SlideFeatures) -> int:
    return slide.features.nbytes + (0 if slide.coords is None else slide.coords.nbytes)


def _copied(slide: SlideFeatures) -> SlideFeatures:
    """The slide in memory of its own: pages of a mapped file can be taken away, and read again, at any time."""
    coords = None if slide.coords is None else slide.coords.clone()
    return replace(slide, features=slide.features.clone(), coords=coords)
