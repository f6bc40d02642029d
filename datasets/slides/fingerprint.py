"""Telling the features of one encoder, or one extraction, from those of another of the same width."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from datasets.slides.features import OpenSlide, open_slide


def fingerprint(path: Path) -> str:
    """Return the fingerprint of a slide, as `fingerprint_of` does; raises UserError as `open_slide` does."""
    with open_slide(path) as slide:
        return fingerprint_of(slide)


def fingerprint_of(slide: OpenSlide) -> str:
    """Return 16 hexadecimal digits for a slide: of its shape, and of its first, middle and last row in float64.

    Three rows are read, whatever the size of the slide. The same numbers in another file format have the same
    fingerprint; the same slide in another precision has another. Values are not checked.
    """
    rows = slide.load_rows(np.unique([0, slide.n_patches // 2, slide.n_patches - 1]))
    content = f"{slide.n_patches} x {slide.width}".encode() + rows.double().numpy().tobytes()
    return hashlib.sha256(content).hexdigest()[:16]
