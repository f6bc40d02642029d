"""Telling the features of one encoder, or one extraction, from those of another of the same width."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch

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
    return digest_of_rows(slide.n_patches, slide.width, slide.load_rows(_rows(slide.n_patches)))


def fingerprint_of_features(features: torch.Tensor) -> str:
    """Return what `fingerprint_of` does, of the features (M, D) of a slide."""
    n_patches, width = features.shape
    return digest_of_rows(n_patches, width, features[_rows(n_patches)])


def digest_of_rows(n_patches: int, width: int, rows: torch.Tensor) -> str:
    """Return the fingerprint of a slide (M, D) with these first, middle and last rows."""
    content = f"{n_patches} x {width}".encode() + rows.double().numpy().tobytes()
    return hashlib.sha256(content).hexdigest()[:16]


def _rows(n_patches: int) -> np.ndarray:
    return np.array(sorted({0, n_patches // 2, n_patches - 1}))
