"""What targets of feature files share: valid numbers, and the ways in which the program reads a slide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from datasets.slides.features import open_slide, read_header, read_slide
from datasets.slides.fingerprint import fingerprint
from utils.errors import UserError

N, D = 40, 8
FEATURES = torch.randn(N, D, generator=torch.Generator().manual_seed(0))
COORDS = torch.arange(2 * N).reshape(N, 2) * 256


def read_in_each_way(path: Path) -> None:
    """The whole slide, its header, its fingerprint, some rows; the first refusal is the answer of all."""
    refusals = []
    for way in (read_slide, read_header, fingerprint, _rows):
        try:
            way(path)
        except UserError as error:
            refusals.append(error)
    if refusals:
        raise refusals[0]


def _rows(path: Path) -> None:
    with open_slide(path) as slide:
        slide.load_rows(np.array([0]))
        slide.load_rows(np.arange(0, slide.n_patches, 3))
