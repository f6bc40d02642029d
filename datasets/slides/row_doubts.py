"""Rows and positions that repeat: what a pipeline leaves that makes room for all patches and does not fill it."""

from __future__ import annotations

import numpy as np
import torch

from datasets.slides.features import SlideFeatures
from utils.files.phrases import counted

SHARE = 0.01  # of the rows of a slide: a few background patches may well be equal
_ROWS = 256  # at once, so that products stay in the cache
_COLUMNS = 16  # compared at first; rows that agree in them are compared whole


class RepeatedRows:
    """Looks at slides as they are read, by several threads at a time, and says what repeats in them.

    Args:
        with_coords: whether repeated positions are worth a sentence too.
    """

    def __init__(self, *, with_coords: bool = False) -> None:
        self.with_coords = with_coords
        self.rows: dict[str, str] = {}
        self.places: dict[str, str] = {}

    def look_at(self, slide: SlideFeatures) -> SlideFeatures:
        """Look at a slide, and return it."""
        repeated = repeated_rows(slide.features)
        if repeated is not None:
            self.rows[slide.slide_id] = repeated
        places = None if slide.coords is None or not self.with_coords else repeated_places(slide.coords.cpu().numpy())
        if places is not None:
            self.places[slide.slide_id] = places
        return slide

    def warnings(self, n_slides: int) -> list[str]:
        """Sentences on the slides, of `n_slides` in all, each with the first slide by name."""
        said = []
        if self.rows:
            said.append(f"{_example(self.rows, n_slides)}: were all features written, or are these background?")
        if self.places:
            said.append(f"{_example(self.places, n_slides)}: are these the coordinates of the patches?")
        return said


def repeated_rows(features: torch.Tensor) -> str | None:
    """What repeats in features (M, D), in words, where it is more than `SHARE` of the rows: zero rows, or one other.

    Two rows are looked at in a few columns, and only those that agree there in all: 3 ms for 10,000 x 768 float32.
    """
    n_rows = len(features)
    if n_rows < 2:
        return None
    bits = _bits(features)
    columns = np.unique(np.linspace(0, bits.shape[1] - 1, min(_COLUMNS, bits.shape[1])).astype(np.int64))
    keys = _digests(bits[:, columns])
    values, counts = np.unique(keys, return_counts=True)
    n_zero = n_same = 0
    for key in values[(counts >= 2) & (counts > SHARE * n_rows)]:
        whole = _digests(bits[keys == key])
        own, sizes = np.unique(whole, return_counts=True)
        n_zero += int(sizes[own == 0].sum())
        n_same = max(n_same, int(sizes[own != 0].max(initial=0)))
    if n_zero > SHARE * n_rows:
        return f"{n_zero:,} of {n_rows:,} rows that are 0"
    return f"{n_same:,} of {n_rows:,} rows that are the same" if n_same >= 2 and n_same > SHARE * n_rows else None


def repeated_places(coords: np.ndarray) -> str | None:
    """That most patches (M, 2) lie where another one does, in words; None otherwise."""
    n_places, n_patches = len(np.unique(coords, axis=0)), len(coords)
    return None if 2 * n_places > n_patches else f"{n_patches:,} patches at {counted(n_places, 'position')}"


def _bits(features: torch.Tensor) -> np.ndarray:
    """The numbers as unsigned integers of their size."""
    kinds = {2: (torch.int16, np.uint16), 4: (torch.int32, np.uint32), 8: (torch.int64, np.uint64)}
    signed, unsigned = kinds[features.element_size()]
    return features.detach().cpu().view(signed).numpy().view(unsigned)


def _digests(bits: np.ndarray) -> np.ndarray:
    """A number for each row, 0 for a row of zeros (also -0): equal rows have the same, others hardly ever."""
    minus_zero = bits.dtype.type(1 << (8 * bits.itemsize - 1))
    factors = np.random.default_rng(0).integers(1, 2**63, size=bits.shape[1], dtype=np.uint64)
    blocks = (bits[start : start + _ROWS] for start in range(0, len(bits), _ROWS))
    sums = [(block * (block != minus_zero) * factors).sum(axis=1) for block in blocks]  # modulo 2^64
    return np.concatenate(sums)


def _example(found: dict[str, str], n_slides: int) -> str:
    slide_id = min(found)
    return f"{len(found)} of {counted(n_slides, 'slide')} repeat themselves, such as {slide_id} with {found[slide_id]}"
