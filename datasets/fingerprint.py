"""Telling the features of one encoder, or one extraction, from those of another of the same width."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from datasets.features import load_rows, read_shape


def fingerprint(path: Path) -> str:
    """Return 16 hexadecimal digits for a slide: of its shape, and of its first, middle and last row in float64.

    Three rows are read, whatever the size of the slide. The same numbers in another file format have the same
    fingerprint; the same slide in another precision has another. Values are not checked; raises DataError as
    `read_shape` does.
    """
    n_patches, width = read_shape(path)
    rows = load_rows(path, np.unique([0, n_patches // 2, n_patches - 1]))
    content = f"{n_patches} x {width}".encode() + rows.double().numpy().tobytes()
    return hashlib.sha256(content).hexdigest()[:16]
