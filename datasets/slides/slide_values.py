"""What is kept of the numbers of a slide, so that nobody reads it again to learn it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from datasets.slides.features import SlideFeatures
from datasets.slides.patch_geometry import physical_patch_size
from datasets.slides.row_doubts import evenly_spaced, repeated_places, repeated_rows

N_ROWS = 64  # of a slide, in the mean length of its features


class SlideValues(NamedTuple):
    """What the numbers of a slide say; they are all finite, and its coordinates are valid.

    Attributes:
        mean_length: mean Euclidean length of the features of a patch, of 64 patches.
        patch_um: side of a patch in micrometres; None where the file does not tell it.
        repeated_rows: rows that repeat, in words as `repeated_rows` has them; None without any.
        repeated_places: the same of positions.
    """

    mean_length: float
    patch_um: float | None
    repeated_rows: str | None
    repeated_places: str | None

    @classmethod
    def of(cls, slide: SlideFeatures) -> SlideValues:
        """Those of a slide that `read_slide` has checked."""
        rows = torch.from_numpy(rows_for_length(len(slide.features)))
        return cls(
            mean_length=mean_length(slide.features[rows]),
            patch_um=physical_patch_size(slide),
            repeated_rows=repeated_rows(slide.features),
            repeated_places=None if slide.coords is None else repeated_places(slide.coords.cpu().numpy()),
        )


def rows_for_length(n_patches: int) -> np.ndarray:
    """The rows of a slide with this number of patches that its mean length is of, evenly spaced."""
    return evenly_spaced(n_patches, N_ROWS)


def mean_length(features: torch.Tensor) -> float:
    """The mean Euclidean length of those rows of (n, D) that are finite: whoever reads the slide names the others."""
    is_finite = features.float().isfinite().all(dim=1)
    return float(features[is_finite].double().norm(dim=1).mean()) if is_finite.any() else 0.0
